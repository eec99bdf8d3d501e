"""Repeat a recorded run, whole or up to a step, and say whether it is the same.

A replay runs the library's own loop once more, from the recorded prompt, parameters and state of the random generator.
On the same machine with the same versions it gives the same run to the last bit. Where it does not, that is said, with
the first step that differs and what is known to differ besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import Divergence, divergence_of
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.hooks import hooks_of, model_of
from dgemma_viz.labs.interventions.plan import AroundPass
from dgemma_viz.labs.interventions.repeatable import check_repeatable, cut, place_of
from dgemma_viz.labs.interventions.rerun import rerun
from dgemma_viz.range_check import checked_range
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace.interventions import recorded_interventions
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import ARRAYS

_MAY_DIFFER = {"wall_time"}

_HARMLESS = {"dgemma_viz", "python"}
"""Versions that do not change what a sampler computes."""

_UNRECORDED = (
    "No recorded fact differs. A trace does not hold weights, a cache that was passed to the call, stopping criteria "
    "or callbacks of its own, or other code that changed the model: one of these must differ"
)


@dataclass(frozen=True, eq=False)
class Replay:
    """A recorded run and its repetition.

    Attributes
    ----------
    original
        What was recorded, up to where the replay was to end.
    trace
        What ran now.
    divergence
        First difference, over all samples; None if the runs are the same.
    """

    original: Trace
    trace: Trace
    divergence: Divergence | None

    @property
    def same(self) -> bool:
        """Same tokens, decisions and output; distributions up to rounding (see ``TracePair.differences``)."""
        return self.divergence is None

    @property
    def identical(self) -> bool:
        """The same to the last bit, times aside."""
        return identical(self.original, self.trace)

    def explain(self) -> str:
        """Whether it is the same run and, if not, where it parts and what may be to blame. Sentences, not escaped."""
        steps = f"{self.trace.n_steps} step{'' if self.trace.n_steps == 1 else 's'}"
        if self.identical:
            return f"The replay is the recorded run to the last bit, over {steps}."
        if self.divergence is None:
            return f"The replay made the same decisions over {steps}; its probabilities differ by rounding only."
        where = f"canvas {self.divergence.canvas}, step {self.divergence.step}"
        whose = f" of sample {self.divergence.sample}" if self.original.n_samples > 1 else ""
        told = [f"The replay diverges from the recorded run in {where}{whose}.", self.divergence.what]
        return " ".join([*told, *(f"{one}." for one in likely_causes(self.original, self.trace))])


def replay(
    model: Any,
    tokenizer: Any,
    trace: Trace,
    *,
    until: tuple[int, int] | None = None,
    on_step: Callable[[StepRecord], None] | None = None,
    around_pass: AroundPass | None = None,
) -> Replay:
    """Run a recorded generation again.

    Interventions that the trace was made with are made again. A run that failed or was interrupted is repeated up to
    its last recorded step.

    Parameters
    ----------
    model, tokenizer
        Those that were recorded; a pipeline stands for its model.
    trace
        Of any ``generate()`` or diffusers pipeline call that was recorded; a batch as well.
    until
        Canvas and step after which to stop; None for the whole run.
    on_step
        As for :func:`dgemma_viz.record`. ``KeyboardInterrupt`` ends the replay within that step.
    around_pass
        See :data:`~dgemma_viz.labs.interventions.plan.AroundPass`.

    Raises
    ------
    SettingError
        The trace does not have the step ``until``; or the model is another, of another vocabulary or canvas length, or
        on another kind of device.
    TraceError
        The trace lacks what is needed: the generator's state, the prompt, logits processors or images of the call.
    RunFailedError
        The loop failed after at least one step; the error holds the trace so far.
    """
    check_repeatable(trace, model_of(model), tokenizer)
    steps = 0 if trace.facts.status == "complete" else trace.n_steps
    if until is not None:
        steps = place_of(trace, *_place(until)) + 1
    before = recorded_interventions(trace)
    hooks = hooks_of(before, model, tokenizer, around_pass=around_pass) if before or around_pass else None
    again = rerun(model, tokenizer, trace, hooks=hooks, on_step=_ending(on_step, steps))
    original = cut(trace, again.n_steps) if again.facts.status == "interrupted" else trace
    return Replay(original, again, first_difference(original, again))


class _Enough(KeyboardInterrupt):
    """Ends a run after the step that was asked for, in the way in which every recorded loop can be ended."""


def _ending(on_step: Callable[[StepRecord], None] | None, steps: int) -> Callable[[StepRecord], None] | None:
    """``on_step`` that ends the run after so many steps; 0: never."""
    if not steps:
        return on_step
    done = 0

    def ending(record: StepRecord) -> None:
        nonlocal done
        done += 1
        try:
            if on_step is not None:
                on_step(record)
        finally:
            if done >= steps:
                raise _Enough(f"stopped after {counted(steps, 'step')}, as asked")

    return ending


def _place(until: Any) -> tuple[int, int]:
    try:
        canvas, step = (checked_range("each number of until", number, whole=True) for number in until)
    except (TypeError, ValueError) as error:
        raise SettingError(f"until is the canvas and step to stop after, like (0, 3), not {until!r}") from error
    return canvas, step


def first_difference(a: Trace, b: Trace) -> Divergence | None:
    """The earliest divergence of all samples; None if there is none."""
    pair = pair_of(a, b)
    found = [divergence_of(pair, sample) for sample in range(pair.n_samples)]
    return min((one for one in found if one is not None), key=lambda one: (one.canvas, one.step), default=None)


def identical(a: Trace, b: Trace) -> bool:
    """Whether every recorded array is the same to the last bit, times aside."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=getattr(a, name).dtype.kind == "f")
        for name in ARRAYS
        if name not in _MAY_DIFFER
    )


def likely_causes(recorded: Trace, again: Trace) -> list[str]:
    """Sentences, most telling first; one that says what remains if no fact differs."""
    return list(_differing(recorded, again)) or [_UNRECORDED]


def _differing(recorded: Trace, again: Trace) -> Iterator[str]:
    old, new = recorded.facts, again.facts
    for what in ("model_class", "model_id", "device", "dtype"):
        if getattr(old, what) != getattr(new, what):
            words = what.replace("_", " ")
            yield f"The {words} is {getattr(new, what) or 'unknown'}, and was {getattr(old, what) or 'unknown'}"
    packages = sorted((old.versions.keys() | new.versions.keys()) - _HARMLESS)
    changed = [
        f"{name} {new.versions.get(name, 'missing')} instead of {old.versions.get(name, 'none')}"
        for name in packages
        if old.versions.get(name) != new.versions.get(name)
    ]
    if changed:
        yield f"Other versions: {', '.join(changed)}"
    settings = sorted(
        name for name in old.settings.keys() & new.settings.keys() if old.settings[name] != new.settings[name]
    )
    if settings:
        yield "Other settings: " + ", ".join(
            f"{name} {new.settings[name]}, was {old.settings[name]}" for name in settings
        )
    for trace, whose in ((recorded, "When it was recorded"), (again, "Now")):
        for notice in trace.facts.notices:
            yield f"{whose}: {notice.text.rstrip('.')}"
