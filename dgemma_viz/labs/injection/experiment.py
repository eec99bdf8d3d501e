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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dgemma_viz.analysis.healing import healing
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.injection.choice import WRONG, Wrong, choose
from dgemma_viz.labs.injection.result import InjectionResult
from dgemma_viz.labs.interventions import DropSelfConditioning, Replace, hooks_of
from dgemma_viz.labs.references import is_right
from dgemma_viz.labs.samplers import run_sampler, sampler_named
from dgemma_viz.labs.seeds import checked_seed
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace import Trace

_TOP_K = 3
"""The right token, and one that is not, even where the draft is neither."""

SKIPPED = {
    "wrong": "the undisturbed answer was wrong already, or cannot be judged",
    "ended": "the canvas had ended before that step",
    "few": "fewer right and decided tokens than errors wanted",
}
"""Why a prompt does not count in a cell."""


@dataclass(frozen=True)
class _Cell:
    """One disturbed run of all prompts."""

    sampler: str
    seed: int
    step: int
    errors: int


def inject_errors(  # noqa: PLR0913 - what is crossed is the experiment
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    samplers: Mapping[str, Mapping[str, Any]] | Sequence[str] = ("entropy_bound",),
    *,
    steps: Sequence[int] = (1, 2, 4),
    errors: Sequence[int] = (1, 2, 4),
    seeds: Sequence[int] = (0,),
    references: Reference | Mapping[str, Reference] | None = None,
    wrong: Wrong = "plausible",
    self_conditioning: bool = True,
    canvas: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> InjectionResult:
    """Replace right tokens by wrong ones before a step, over samplers, steps, numbers of errors, seeds and prompts.

    Parameters
    ----------
    model, tokenizer, prompts
        All prompts run as one batch for each seed.
    samplers
        Names of samplers, or a mapping from a label to ``{"sampler": name, **parameters}``.
    steps
        Denoising steps of the canvas that read the wrong tokens, counted from 0; step 0 reads noise only, so from 1.
    errors
        How many tokens to replace. Of fewer errors at the same place, the positions are among those of more.
    seeds
        Of the runs, and of the choice of positions and tokens.
    references
        Right answers; None for prompts of the bundled tasks. See :func:`~dgemma_viz.labs.many_runs.run_many`.
    wrong
        What a wrong token is: ``"plausible"`` or ``"random"``, see :data:`~dgemma_viz.labs.injection.choice.Wrong`.
    self_conditioning
        False also withholds the self-conditioning from step ``k``: it still holds the tokens that were replaced.
    canvas
        Which one to disturb.
    progress
        Called with the runs done and all runs; may raise ``KeyboardInterrupt`` to end early with what there is.

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
    chosen = _checked(prompts, samplers, steps, errors, seeds, canvas)
    if wrong not in WRONG:
        raise SettingError(f"a wrong token is one of {', '.join(WRONG)}, not {wrong!r}")
    cells = [(step, count) for step in steps for count in errors]
    total, done = len(chosen) * len(seeds) * (1 + len(cells)), 0
    tell = progress or (lambda _done, _total: None)
    rows: list[dict[str, Any]] = []
    skipped: list[dict[str, Any]] = []
    complete = False
    try:
        tell(0, total)
        for label, given in chosen.items():
            for seed in seeds:
                batch = _Batch(model, tokenizer, prompts, given, seed, references, canvas)
                tell(done := done + 1, total)
                for step, count in cells:
                    cell = asdict(_Cell(label, seed, step, count))
                    tokens, why = batch.choose(step, count, wrong)
                    skipped += [cell | {"why": SKIPPED[kind], "prompts": number} for kind, number in why.items()]
                    rows += [cell | row for row in batch.disturbed(step, tokens, self_conditioning=self_conditioning)]
                    tell(done := done + 1, total)
        complete = True
    except KeyboardInterrupt:
        pass
    return InjectionResult.of(rows, skipped, complete=complete)


def _checked(
    prompts: Sequence[str],
    samplers: Mapping[str, Mapping[str, Any]] | Sequence[str],
    steps: Sequence[int],
    errors: Sequence[int],
    seeds: Sequence[int],
    canvas: int,
) -> dict[str, dict[str, Any]]:
    """Samplers by label; everything is judged before the first run."""
    crossed = (prompts, samplers, steps, errors, seeds)
    if any(isinstance(values, str) or not hasattr(values, "__len__") for values in crossed):
        raise SettingError("prompts, samplers, steps, errors and seeds are lists, even of one")
    for what, values in zip(("prompts", "samplers", "steps", "errors", "seeds"), crossed, strict=True):
        if not len(values):
            raise SettingError(f"there are no {what}: give at least one")
    checked_range("canvas", canvas, whole=True)
    for seed in seeds:
        checked_seed(seed)
    for what, values in (("step", steps), ("number of errors", errors)):
        for value in values:
            checked_range(f"a {what}", value, 1, whole=True)
    named = samplers.items() if hasattr(samplers, "items") else ((name, {"sampler": name}) for name in samplers)
    chosen = {str(label): dict(given) for label, given in named}
    for label, given in chosen.items():
        if "sampler" not in given:
            raise SettingError(f"the sampler {label!r} lacks its name: give {{'sampler': name, **parameters}}")
        sampler_named(given["sampler"]).checked({name: value for name, value in given.items() if name != "sampler"})
    return chosen


class _Batch:
    """All prompts with one sampler and seed: the undisturbed run, and runs that are disturbed."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        prompts: Sequence[str],
        given: Mapping[str, Any],
        seed: int,
        references: Reference | Mapping[str, Reference] | None,
        canvas: int,
    ) -> None:
        self._model, self._tokenizer, self._prompts = model, tokenizer, list(prompts)
        self._sampler = given["sampler"]
        self._parameters = {name: value for name, value in given.items() if name != "sampler"}
        self._seed, self._canvas = seed, canvas
        self._references = references
        self._original = self._run()
        self._right = [self._is_right(self._original, sample) for sample in range(len(prompts))]

    def _run(self, around: Any = None) -> Trace:
        return run_sampler(
            self._model,
            self._tokenizer,
            self._prompts,
            self._sampler,
            self._parameters,
            seed=self._seed,
            top_k=_TOP_K,
            around=around,
        )

    def _is_right(self, trace: Trace, sample: int) -> bool:
        return bool(is_right(self._prompts[sample], trace.output_text(sample), self._references))

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
        interventions: list[Any] = [Replace(wanted, **place, sample=sample) for sample, wanted in tokens.items()]
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
