"""What a sweep found: a row per run, a summary per setting, and any run again in full detail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.labs.models import ModelSource
from dgemma_viz.labs.sweep.outcome import Outcomes, traced
from dgemma_viz.labs.sweep.plan import Plan
from dgemma_viz.labs.sweep.table import parameter_columns, summary_of, table_of
from dgemma_viz.markup import Markup, tag
from dgemma_viz.plain_text import NO_FORMULAS, isolated, visible
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Sweep:
    """Made by :func:`dgemma_viz.labs.sweep.sweep`. No traces are kept; :meth:`run` makes one anew.

    Attributes
    ----------
    plan
        Settings, seeds, prompts and batch size.
    outcomes
        What came of each finished cell, by its key.
    """

    plan: Plan
    outcomes: dict[str, Outcomes]
    source: ModelSource = field(repr=False)
    reference: Reference | None = field(default=None, repr=False)
    max_new_tokens: int | None = None

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row per run, in the order setting, seed, prompt, whichever engine ran it.

        Index ``run``: its number in the whole sweep, for :meth:`run`. Columns: ``setting`` (all of it, as text),
        ``sampler``, a column per parameter (NaN: not chosen, or the sampler has none; ``"off"``: None), ``seed``,
        ``prompt``, ``sample`` (its place in the batch), ``output``, ``right`` (NA: not judged), ``canvases``,
        ``forwards`` (decoder passes of this sample, corrector sweeps included), ``tokens`` (of the output, its
        end-of-sequence token included), ``tokens_per_forward``, ``seconds`` (wall time of the batch, recording
        included, shared out equally over its prompts; the first run of each process is slower), ``warnings`` of the
        recorder, and ``error`` (why the run failed or could not be judged; else empty).
        """
        return table_of(self.plan, self.outcomes, self.reference)

    @property
    def missing(self) -> int:
        """Runs that are not in the table."""
        done = sum(len(cell.prompts) for cell in self.plan.cells() if cell.key in self.outcomes)
        return len(self.plan) - done

    @property
    def failed(self) -> int:
        """Runs in the table that failed; called again with the same path, a sweep tries them again."""
        return sum(bool(outcome.error) for outcomes in self.outcomes.values() for outcome in outcomes)

    def summary(self, by: str | Sequence[str] = "setting") -> pd.DataFrame:
        """One row per group of runs, in the order of the grid.

        Parameters
        ----------
        by
            ``"setting"``, or any of the columns that say what was run, such as ``["sampler", "max_denoising_steps"]``.

        Returns
        -------
        pd.DataFrame
            What tells the groups apart, then ``runs``, ``failed`` (counted in nothing else), ``judged``, ``prompts``,
            ``right``, ``accuracy`` (right / judged) with two 95 % intervals, see
            :mod:`dgemma_viz.analysis.accuracy_over_runs`: ``low``, ``high`` (Wilson, runs as independent) and
            ``prompts_low``, ``prompts_high`` (bootstrap over prompts; NaN with fewer than two); mean ``forwards`` with
            ``forwards_low``, ``forwards_high`` (bootstrap over prompts); ``tokens_per_forward`` (all tokens / all
            forwards), mean ``seconds``. :func:`dgemma_viz.figures.pareto` draws it.

        Raises
        ------
        SettingError
            No such column.
        """
        carried = ["sampler", *parameter_columns(self.plan.settings)] if by == "setting" else []
        return summary_of(self.table, by, carried)

    def run(self, row: int, *, top_k: int = 8) -> Trace:
        """The trace of a row's run, made again: same seed, same batch, so the same run.

        Parameters
        ----------
        row
            Index of :attr:`table`; runs that are missing can be made as well.
        top_k
            Alternatives kept per position.

        Returns
        -------
        Trace
            Of the whole batch; the row's ``sample`` is its place in it.

        Raises
        ------
        SettingError
            No such row.
        RunFailedError
            The run failed after at least one step; the error holds the trace so far. An exception before that passes
            on.
        """
        cell, _ = self.plan.row(checked_range("a row", row, 0, len(self.plan) - 1, whole=True))
        model, tokenizer = self.source.load()
        return traced(model, tokenizer, cell, self.max_new_tokens, top_k=top_k)

    def __repr__(self) -> str:
        return f"<Sweep of {self._in_words()}>"

    def _repr_html_(self) -> str:
        table = self.summary().drop(columns="setting").dropna(axis="columns", how="all")
        rows = Markup(table.to_html(index=False, na_rep="–", float_format="{:.3g}".format, border=0))
        errors = dict.fromkeys(error for error in self.table["error"] if error)
        first = tag("p", isolated(visible(next(iter(errors))))) if errors else None
        head = tag("p", tag("strong", f"Sweep of {self._in_words()}"))
        return str(tag("div", head, first, rows, class_=f"dgemma-viz-sweep {NO_FORMULAS}"))

    def _in_words(self) -> str:
        plan = self.plan
        sizes = (("setting", plan.settings), ("seed", plan.seeds), ("prompt", plan.prompts))
        crossed = " × ".join(counted(len(of), name) for name, of in sizes)
        warned = sum(bool(outcome.warnings) for outcomes in self.outcomes.values() for outcome in outcomes)
        trouble = [("missing", self.missing), ("failed", self.failed), ("with warnings", warned)]
        counts = "".join(f", {number} {name}" for name, number in trouble if number)
        return f"{counted(len(plan), 'run')} ({crossed}){counts}"
