"""Many runs sorted into kinds of failure; choosing a run opens its trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from dgemma_viz.analysis.failure_kinds import FailureKind, failure_kinds
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.figures import failure_bars
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import close_tree, columns, panel
from dgemma_viz.widgets.viewer import Viewer

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 60
_NO_FAILURE = {FailureKind.RIGHT.value, FailureKind.NOT_JUDGED.value}


class RunSetExplorer(ipw.VBox):  # type: ignore[misc]
    """Kinds of failure as bars, the runs of the chosen kind as a list, and the viewer of the chosen run.

    Parameters
    ----------
    runs
        What to look at; at least one run.

    Attributes
    ----------
    runs
        What is looked at.
    bars
        Chart of the kinds; a click chooses one.
    kind
        Dropdown of the kinds that occur.
    run
        List of the runs of that kind; its value is the run's index in the set.
    viewer
        Shows the chosen run.
    """

    def __init__(self, runs: RunSet) -> None:
        wide = ipw.Layout(width="calc(100% - 4px)")
        self.runs = runs
        self._replacing = False
        self.kind = ipw.Dropdown(description="Kind", layout=wide)
        self.run = ipw.Select(description="Runs", rows=8, layout=wide)
        self.viewer = Viewer(runs[0].trace, runs[0].reference)
        self._table = failure_kinds(runs)
        self.bars = Chart(lambda theme: failure_bars(self._table, theme=theme), self._bar_clicked)
        self.kind.observe(lambda _: self._offer_runs(), "value")
        self.run.observe(lambda _: self._open(), "value")
        choice = ipw.VBox([self.kind, self.run], layout=ipw.Layout(min_width="0", width="100%"))
        layout = ipw.Layout(width="100%", min_width="0", grid_gap="14px")
        super().__init__([columns(panel(self.bars), choice), self.viewer], layout=layout)
        self.show(runs)

    def show(self, runs: RunSet) -> None:
        """Look at other runs: the most frequent kind of failure first, its first run opened."""
        self.runs, self._table = runs, failure_kinds(runs)
        self.bars.redraw()
        found = self._table[self._table["count"] > 0]
        failures = found[~found.kind.isin(_NO_FAILURE)]
        self._replacing = True
        self.kind.options = [(f"{row.kind}: {row.count} of {len(runs)}", row.kind) for row in _rows(found)]
        self.kind.value = (failures if len(failures) else found).sort_values("count", ascending=False).kind.iloc[0]
        self._replacing = False
        self._offer_runs()

    def close(self) -> None:
        """Close every view."""
        self.viewer.close()
        close_tree(self, closing=super().close)

    def _bar_clicked(self, _x: Any, kind: Any) -> None:
        if kind in {value for _, value in self.kind.options}:
            self.kind.value = kind

    def _offer_runs(self) -> None:
        if self._replacing or self.kind.value is None:
            return
        indices = self._table[self._table.kind == self.kind.value].runs.iloc[0]
        self._replacing = True
        self.run.options = [(_label(index, self.runs[index]), index) for index in indices]
        self.run.value = indices[0]
        self._replacing = False
        self._open()

    def _open(self) -> None:
        if self._replacing or self.run.value is None:
            return
        run = self.runs[self.run.value]
        if run.trace is not self.viewer.trace:
            self.viewer.show(run.trace, run.reference)
        self.viewer.sample = run.sample


def _rows(table: pd.DataFrame) -> Any:
    return table[["kind", "count"]].itertuples(index=False, name="Kind")


def _label(index: int, run: Run) -> str:
    parts = [f"{index}", f"seed {run.seed}" if run.seed is not None else "", _short(run.output) or "(empty)"]
    wanted = run.judgement.reference if run.judgement else None
    if wanted is not None and run.right is False:
        parts.append(f"instead of {_short(wanted)}")
    return " · ".join(filter(None, parts))


def _short(text: str) -> str:
    return isolated(visible(text.strip(), _LONGEST).replace("\n", "↵"))
