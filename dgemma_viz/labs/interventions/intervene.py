"""Repeat a recorded run with something changed, and let it go on from there.

Everything before the first intervention runs as it was recorded: so the schedule, the stopping state, the
self-conditioning and the random numbers are what they were, in any canvas. What happens afterwards is the change's
doing, and nothing else's: :attr:`Intervened.same_until` says whether that held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dgemma_viz.analysis.divergence import Divergence
from dgemma_viz.labs.interventions.hooks import hooks_of, model_of, plan_for
from dgemma_viz.labs.interventions.repeatable import check_parameters, check_places, check_repeatable, cut, place_of
from dgemma_viz.labs.interventions.replay import first_difference, likely_causes
from dgemma_viz.labs.interventions.rerun import rerun
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace.interventions import recorded_interventions
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.trace.interventions.tokens_read import at_positions
from dgemma_viz.trace.model import Trace


@dataclass(frozen=True, eq=False)
class Intervened:
    """A recorded run, and the same run with interventions.

    Attributes
    ----------
    original
        What was recorded.
    trace
        What ran now; ``facts.task.interventions`` says what was done.
    interventions
        Those that were asked for, with ids as tokens.
    replayed_to
        Canvas and step of the first of them: all steps before were repeated as they were.
    hooked
        Modules at which functions of the caller's own were called, see
        :func:`~dgemma_viz.labs.inside.run_with_hooks`.
    """

    original: Trace
    trace: Trace
    interventions: tuple[Intervention, ...]
    replayed_to: tuple[int, int]
    hooked: tuple[str, ...] = ()

    @property
    def divergence_before(self) -> Divergence | None:
        """First difference before the first intervention: None, unless the run cannot be repeated on this machine."""
        steps = place_of(self.original, *self.replayed_to)
        return first_difference(cut(self.original, steps), cut(self.trace, steps)) if steps else None

    @property
    def same_until(self) -> bool:
        """Whether all steps before the first intervention are those of the original."""
        return self.divergence_before is None

    @property
    def divergence(self) -> Divergence | None:
        """First difference of both runs; None if the interventions changed nothing."""
        return first_difference(self.original, self.trace)

    def explain(self) -> str:
        """What was done, where the runs part, and what became of the output. Sentences, NOT escaped."""
        done = [one.describe(self.trace.token_texts) for one in self.interventions]
        done += [f"functions of what {', '.join(self.hooked)} give"] if self.hooked else []
        told = [f"Changed: {'; '.join(done)}."]
        before, after = self.divergence_before, self.divergence
        if before is not None:
            where = f"canvas {before.canvas}, step {before.step}"
            told += [f"The runs differ before that, in {where}, so not all that follows is the change's doing."]
            told += [before.what, *(f"{one}." for one in likely_causes(self.original, self.trace))]
        elif self.replayed_to != (0, 0):
            canvas, step = self.replayed_to
            told += [f"All steps before canvas {canvas}, step {step} are as they were recorded."]
        if after is None:
            return " ".join([*told, "This changed nothing: every step and the output are the same."])
        if before is None:
            told.append(_parted(after))
        return " ".join([*told, *(self._output(sample) for sample in range(self.original.n_samples))])

    def _output(self, sample: int) -> str:
        whose = f"The output of sample {sample}" if self.original.n_samples > 1 else "The output"
        if self.trace.facts.status != "complete":
            return f"{whose} is not complete: the changed run was {self.trace.facts.status}."
        if np.array_equal(self.original.output_ids(sample), self.trace.output_ids(sample)):
            return f"{whose} is the same."
        return f"{whose} is '{self.trace.output_text(sample)}', and was '{self.original.output_text(sample)}'."


def intervene(
    model: Any,
    tokenizer: Any,
    trace: Trace,
    interventions: Sequence[Intervention],
    *,
    on_step: Callable[[StepRecord], None] | None = None,
) -> Intervened:
    """Run a recorded generation again with interventions.

    On a trace that was made with interventions, those are made again and the new ones are added.

    Parameters
    ----------
    model, tokenizer, trace, on_step
        As for :func:`~dgemma_viz.labs.interventions.replay`.
    interventions
        At least one; see the classes of :mod:`dgemma_viz.labs.interventions`.

    Raises
    ------
    SettingError
        Before anything runs: no intervention, a position outside the canvas, a step, canvas or sample that the trace
        does not have, an unknown token, two that contradict each other, something that the sampler cannot do, or
        another model than the trace's.
    TraceError
        The trace lacks what is needed to repeat its run.
    RunFailedError
        The loop failed after at least one step; the error holds the trace so far.

    Examples
    --------
    >>> done = intervene(model, tokenizer, trace, [Replace({3: "7"}, step=2)])
    >>> print(done.explain())
    >>> dgemma_viz.compare(done.original, done.trace)
    """
    check_repeatable(trace, model_of(model), tokenizer)
    before = recorded_interventions(trace)
    plan = plan_for(interventions, model, tokenizer)
    every = (*before, *plan.interventions)
    hooks = hooks_of(every, model, tokenizer)
    plan.check_batch(trace.n_samples)
    check_places(trace, plan.interventions)
    check_parameters(trace, every)
    again = rerun(
        model,
        tokenizer,
        trace,
        hooks=hooks,
        on_step=on_step,
        task={"interventions": [one.to_json() for one in every]},
    )
    return Intervened(trace, again, plan.interventions, min(one.begins for one in plan.interventions))


def _parted(at: Divergence) -> str:
    """Where and in what the runs part; why is known, so not the divergence's own words, which look for a cause."""
    where = (
        f" at {at_positions(at.positions)}" if len(at.positions) in (1, 2, 3) else f" at {len(at.positions)} positions"
    )
    return f"The runs part in canvas {at.canvas}, step {at.step}, in {at.cause}{where if at.positions else ''}."
