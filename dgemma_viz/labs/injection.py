"""Error injection: put wrong tokens into a canvas in the middle of its denoising, and see whether they heal.

The experiment. A prompt is run once, undisturbed. If its answer is right, it is run again with the same random numbers,
but just before step ``k`` reads the canvas, ``m`` of the tokens that were right and decided are replaced by wrong ones.
Then the loop goes on by itself. A token is healed if the right one is emitted there in the end. This is the error
injection of CDLM (arXiv 2512.15596), done to the sampler's own loop, and it tests the claim that one bad token forces a
block to be started over.

Prompts of one batch are disturbed at the same step, each at its own positions, so a whole cell of the experiment is one
run of the loop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.healing import healing, replaceable
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.analysis.reference import Reference, check_reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.grid import Progress, listed, run_grid, whole_run
from dgemma_viz.labs.interventions import DropSelfConditioning, Intervention, Replace, hooks_of
from dgemma_viz.labs.prompts import is_right
from dgemma_viz.labs.run import Hooks, checked_seed, run
from dgemma_viz.labs.samplers import Choices, Sampler, Values, labelled
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace import Trace
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    import pandas as pd

_TOP_K = 3
"""The right token, and one that is not, even where the draft is neither."""

CELL = ("sampler", "seed", "step", "errors")
MEASURED = ("prompt", "healed", "steps_to_heal", "right", "spread", "steps_before", "steps_after")
WHY = ("why", "prompts")

Wrong = Literal["plausible", "random"]
"""What a wrong token is: what the model held most probable after the right one, or any other token, as noise is."""

WRONG: tuple[Wrong, ...] = ("plausible", "random")

SKIPPED = {
    "wrong": "the undisturbed answer was wrong already, or cannot be judged",
    "ended": "the canvas had ended before that step",
    "few": "fewer right and decided tokens than errors wanted",
}
"""Why a prompt does not count in a cell."""


@dataclass(frozen=True, eq=False)
class InjectionResult:
    """What came of injected errors.

    Attributes
    ----------
    table
        One row per sampler, seed, step, number of errors and prompt: ``sampler``, ``seed``, ``step``, ``errors``,
        ``prompt``, ``healed`` (replaced tokens that came right), ``steps_to_heal`` (mean over those), ``right`` (the
        whole answer), ``spread`` (answer tokens elsewhere that changed), ``steps_before``, ``steps_after`` (denoising
        steps of the canvas without and with errors).
    skipped
        Prompts that do not count: ``sampler``, ``seed``, ``step``, ``errors``, ``why``, ``prompts``.
    complete
        False after an interrupt.
    """

    table: pd.DataFrame
    skipped: pd.DataFrame
    complete: bool

    @classmethod
    def of(cls, rows: list[dict[str, Any]], skipped: list[dict[str, Any]], *, complete: bool) -> Self:
        """From the rows of both tables, which may be empty."""
        import pandas as pd

        return cls(
            pd.DataFrame(rows, columns=[*CELL, *MEASURED]), pd.DataFrame(skipped, columns=[*CELL, *WHY]), complete
        )

    def summary(self) -> pd.DataFrame:
        """One row per sampler, step and number of errors.

        Columns: ``runs``, ``tokens`` (replaced), ``healed`` (fraction of them) with ``healed_low`` and ``healed_high``
        (Wilson's interval at 95 %, which treats tokens of one canvas as independent and is so too narrow for several
        errors), ``right`` (fraction of answers) with its interval, ``spread`` and ``steps_to_heal`` (means).
        """
        import pandas as pd

        rows = []
        for (sampler, step, errors), cell in self.table.groupby(["sampler", "step", "errors"], sort=False):
            tokens, healed, right = (int(cell[name].sum()) for name in ("errors", "healed", "right"))
            healed_ends, right_ends = wilson([healed], [tokens]), wilson([right], [len(cell)])
            rows.append(
                {
                    "sampler": sampler,
                    "step": step,
                    "errors": errors,
                    "runs": len(cell),
                    "tokens": tokens,
                    "healed": healed / tokens,
                    "healed_low": float(healed_ends[0][0]),
                    "healed_high": float(healed_ends[1][0]),
                    "right": right / len(cell),
                    "right_low": float(right_ends[0][0]),
                    "right_high": float(right_ends[1][0]),
                    "spread": float(cell["spread"].mean()),
                    "steps_to_heal": float(cell["steps_to_heal"].mean()),
                }
            )
        return pd.DataFrame(rows)


def inject_errors(  # noqa: PLR0913 - what is crossed is the experiment
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    samplers: Choices = ("entropy_bound",),
    *,
    steps: Sequence[int] = (1, 2, 4),
    errors: Sequence[int] = (1, 2, 4),
    seeds: Sequence[int] = (0,),
    reference: Reference | None = None,
    wrong: Wrong = "plausible",
    self_conditioning: bool = True,
    canvas: int = 0,
    progress: Progress | None = None,
) -> InjectionResult:
    """Replace right tokens by wrong ones before a step, over samplers, steps, numbers of errors, seeds and prompts.

    Parameters
    ----------
    model, tokenizer, prompts
        All prompts run as one batch for each seed.
    samplers
        Names of samplers, or a mapping from label to ``{"sampler": name, **parameters}``.
    steps
        Denoising steps of the canvas that read the wrong tokens, counted from 0; step 0 reads noise only, so from 1.
    errors
        How many tokens to replace. Of fewer errors at the same place, the positions are among those of more.
    seeds
        Of the runs, and of the choice of positions and tokens.
    reference
        Right answers; None for prompts of the bundled tasks. See :data:`~dgemma_viz.analysis.reference.Reference`.
    wrong
        What a wrong token is: ``"plausible"`` or ``"random"``, see :data:`Wrong`.
    self_conditioning
        False also withholds the self-conditioning from step ``k``: it still holds the tokens that were replaced.
    canvas
        Which one to disturb.
    progress
        See :data:`~dgemma_viz.labs.grid.Progress`.

    Returns
    -------
    InjectionResult
        After an interrupt, with the cells that were finished.

    Raises
    ------
    SettingError
        Nothing to run, a step or a number of errors below 1, no such sampler, or a parameter, seed or canvas
        out of range.
    """
    texts = listed("prompts", prompts)
    chosen = labelled(samplers if isinstance(samplers, Mapping) else listed("samplers", samplers))
    seeds = [checked_seed(seed) for seed in listed("seeds", seeds)]
    steps = [checked_range("a step", step, 1, whole=True) for step in listed("steps", steps)]
    errors = [checked_range("a number of errors", count, 1, whole=True) for count in listed("errors", errors)]
    checked_range("canvas", canvas, whole=True)
    check_reference(reference)
    if wrong not in WRONG:
        raise SettingError(f"a wrong token is one of {', '.join(WRONG)}, not {wrong!r}")
    disturbed = [(step, count) for step in steps for count in errors]
    cells = [_Cell(label, seed, *at) for label in chosen for seed in seeds for at in [(0, 0), *disturbed]]
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    batch: _Batch | None = None

    def run_cell(cell: _Cell) -> None:
        nonlocal batch
        if batch is None or not cell.errors:
            batch = _Batch(model, tokenizer, texts, chosen[cell.sampler], cell.seed, reference, canvas)
            return
        tokens, why = batch.choose(cell.step, cell.errors, wrong)
        skipped.extend(cell._asdict() | {"why": SKIPPED[kind], "prompts": number} for kind, number in why.items())
        found = batch.disturbed(cell.step, tokens, self_conditioning=self_conditioning)
        rows.extend(cell._asdict() | row for row in found)

    complete = run_grid(cells, run_cell, lambda *_: None, progress=progress)
    return InjectionResult.of(rows, skipped, complete=complete)


class _Cell(NamedTuple):
    """One run of all prompts; without errors, the undisturbed one, which comes first."""

    sampler: str
    seed: int
    step: int
    errors: int


class _Batch:
    """All prompts with one sampler and seed: the undisturbed run, and runs that are disturbed."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[str],
        setting: tuple[Sampler, Values],
        seed: int,
        reference: Reference | None,
        canvas: int,
    ) -> None:
        self._model, self._tokenizer, self._prompts = model, tokenizer, list(prompts)
        self._setting = setting
        self._seed, self._canvas = seed, canvas
        self._reference = reference
        self._original = self._run()
        self._right = [self._is_right(self._original, sample) for sample in range(len(prompts))]

    def _run(self, hooks: Hooks | None = None) -> Trace:
        asked = (self._model, self._tokenizer, self._prompts, *self._setting)
        return whole_run(run(*asked, seed=self._seed, top_k=_TOP_K, hooks=hooks))

    def _is_right(self, trace: Trace, sample: int) -> bool:
        return bool(is_right(self._prompts[sample], trace.output_text(sample), self._reference))

    def choose(self, step: int, count: int, wrong: Wrong) -> tuple[dict[int, dict[int, int]], dict[str, int]]:
        """Wrong tokens by sample and position, and how many prompts do not count and why (:data:`SKIPPED`)."""
        tokens: dict[int, dict[int, int]] = {}
        why: dict[str, int] = {}
        for sample, right in enumerate(self._right):
            there = self._canvas < self._original.n_canvases
            run = self._original.canvas_run(self._canvas, sample) if there else None
            found = choose(run, step, count, self._seed, wrong) if run is not None and right else {}
            if len(found) == count:
                tokens[sample] = found
            else:
                ended = run is None or step >= run.n_steps
                kind = "wrong" if not right else "ended" if ended else "few"
                why[kind] = why.get(kind, 0) + 1
        return tokens, why

    def disturbed(
        self, step: int, tokens: Mapping[int, Mapping[int, int]], *, self_conditioning: bool
    ) -> list[dict[str, Any]]:
        """Run with the wrong tokens; one row for each sample that has some."""
        if not tokens:
            return []
        place = {"canvas": self._canvas, "step": step}
        interventions: list[Intervention] = []
        interventions += [Replace(wanted, **place, sample=sample) for sample, wanted in tokens.items()]
        if not self_conditioning:
            interventions.append(DropSelfConditioning(**place, steps=1))
        changed = self._run(hooks_of(interventions, self._model, self._tokenizer))
        rows = []
        for sample, wanted in tokens.items():
            before, after = (trace.canvas_run(self._canvas, sample) for trace in (self._original, changed))
            found = healing(before, after, step, list(wanted))
            if found is None:
                continue
            rows.append(
                {
                    "prompt": self._prompts[sample],
                    "healed": int(found.healed.sum()),
                    "steps_to_heal": float(found.steps[found.healed].mean()) if found.healed.any() else np.nan,
                    "right": self._is_right(changed, sample),
                    "spread": found.spread,
                    "steps_before": before.n_steps,
                    "steps_after": after.n_steps,
                }
            )
        return rows


def choose(run: CanvasRun, step: int, most: int, seed: int, wrong: Wrong) -> dict[int, int]:
    """Wrong token by position: at most ``most``, all at positions that are :func:`replaceable`.

    With the same seed, the positions of a smaller number are the first of those of a larger one.

    Parameters
    ----------
    run
        The undisturbed run of the canvas.
    step
        Step that is to read the wrong tokens.
    most
        How many to choose.
    seed
        Of positions and, if they are random, of tokens.
    wrong
        What a wrong token is.
    """
    random = np.random.default_rng([seed, run.sample, run.canvas, step])
    positions = random.permutation(np.flatnonzero(replaceable(run, step)))[:most]
    right = run.array("noised")[step] if len(positions) else np.zeros(0, dtype=int)
    if wrong == "random":
        shifts = random.integers(1, run.trace.facts.vocab_size, size=len(positions))
        others = [
            (int(right[p]) + int(shift)) % run.trace.facts.vocab_size
            for p, shift in zip(positions, shifts, strict=True)
        ]
        return {int(p): token for p, token in zip(positions, others, strict=True)}
    return {int(p): _runner_up(run.array("top_k_ids")[step - 1, p], int(right[p])) for p in positions}


def _runner_up(alternatives: npt.NDArray[Any], right: int) -> int:
    """The most probable token but the right one, in the step that decided."""
    return next(int(token) for token in alternatives if token != right)
