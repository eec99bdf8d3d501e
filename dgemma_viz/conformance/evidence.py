"""What the rules of samplers read: a trace, the settings that its sampler was asked for, and the slack they get."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import SettingError
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.need import Case
from dgemma_viz.rules.rule import Checked
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Tolerances:
    """Slack for floating point, and the risk that the statistical rules take.

    The defaults are for runtimes that compute or log in bfloat16 (8 significant bits: rounding changes a number by up
    to one part in 512) and sum entropies in float32. Positions closer to a threshold than the slack are not judged.

    Attributes
    ----------
    relative
        Of temperatures, bounds, entropies and their sums: one rounding to bfloat16.
    entropy
        Nats, absolute: what two ways of summing an entropy over a vocabulary, or entropies over a canvas, may differ by
        in float32.
    probability
        Absolute: one rounding to bfloat16 or float16 near 1.
    false_alarm
        Probability that one check accuses runs of the reference sampler itself by any of its statistical rules, however
        many traces it is given; how it is shared out says :mod:`dgemma_viz.conformance.statistical`.
    batch
        Of a probability, absolute: what the same forward pass in a batch of another size may change, since kernels then
        sum in another order.

    Raises
    ------
    SettingError
        On construction, for a value that is negative or not finite, or a ``false_alarm`` that is not between 0 and 1.
    """

    relative: float = 0.002
    entropy: float = 5e-5
    probability: float = 0.002
    false_alarm: float = 1e-6
    batch: float = 0.05

    def __post_init__(self) -> None:
        for option in fields(self):
            value = getattr(self, option.name)
            if not (math.isfinite(value) and value >= 0):
                raise SettingError(f"tolerance '{option.name}' is {value}; choose a number from 0")
        if not 0 < self.false_alarm < 1:
            raise SettingError(f"tolerance 'false_alarm' is {self.false_alarm}; choose a probability between 0 and 1")


@dataclass(frozen=True, eq=False)
class Evidence(Case):
    """A trace as the rules see it, with the slack they get."""

    tolerances: Tolerances = field(default_factory=Tolerances)

    def ended_before(self, run: CanvasRun) -> bool:
        """Whether an earlier canvas of the sample emitted an end-of-sequence token."""
        earlier = self.trace.emitted[: run.canvas, run.sample][self.trace.in_emitted[: run.canvas]]
        return bool(np.isin(earlier, self.trace.facts.eos_token_ids).any())

    def padded(self, run: CanvasRun) -> Array:
        """Positions of an emitted canvas that hold padding or end tokens after the sequence's end: bool ``(C,)``."""
        if run.emitted is None:
            return np.zeros(run.canvas_length, dtype=bool)
        facts, ids = self.trace.facts, run.emitted
        ends = np.isin(ids, facts.eos_token_ids)
        after = np.full(len(ids), run.past_end or self.ended_before(run))
        after[1:] |= np.logical_or.accumulate(ends)[:-1]
        padding: Array = after & (ends | (ids == (-1 if facts.pad_token_id is None else facts.pad_token_id)))
        return padding


def each(check: Callable[[Evidence, CanvasRun], Checked]) -> Callable[[Evidence], Iterator[Checked]]:
    """A check of every canvas of every sample by itself."""

    def checks(evidence: Evidence) -> Iterator[Checked]:
        for run in evidence.runs():
            checked = check(evidence, run)
            yield Checked(checked.judged, checked.finding and in_canvas(checked.finding, run))

    return checks


def in_canvas(finding: Finding, run: CanvasRun) -> Finding:
    """The finding, said of a canvas."""
    return replace(finding, canvas=run.canvas, sample=run.sample)


def first_wrong(
    judged: int | Array, wrong: Array, steps: Array | None, tell: Callable[..., tuple[str, str, str]]
) -> Checked:
    """What a check says by a mask of what is wrong.

    Parameters
    ----------
    judged
        How many places were judged, or a mask of them.
    wrong
        Bool ``(T, C)`` or ``(T,)``; ``(C,)`` without steps.
    steps
        Number in the canvas of each row of ``wrong``; None where it has no rows.
    tell
        Of the first wrong place, what stands there, what should, and a sentence.
    """
    number = int(np.sum(judged))
    if not wrong.any():
        return Checked(number)
    place = [int(index) for index in np.unravel_index(int(np.argmax(wrong)), wrong.shape)]
    step, positions = (None, place) if steps is None else (int(steps[place[0]]), place[1:])
    return Checked(number, breach(step, positions[0] if positions else None, *tell(*place), places=int(wrong.sum())))


def breach(step: int | None, position: int | None, found: str, expected: str, what: str, places: int = 1) -> Finding:
    """The first place in a canvas that breaks a rule; step and position are None where it is not about one."""
    positions = () if position is None else (position,)
    return Finding(Severity.ERROR, what, step=step, positions=positions, found=found, expected=expected, places=places)


def steps_of(run: CanvasRun) -> Array:
    """Number in its canvas of each active step: int ``(T,)``."""
    return run.array("step_in_canvas")


def next_rows(evidence: Evidence, run: CanvasRun) -> tuple[Array, Array]:
    """Active steps with a decision, after which the sample's next noised canvas is recorded, as its sampler left it.

    diffusers' pipelines put the draft into the canvas of a sample that has finished, so that canvas is not among them.

    Returns
    -------
    tuple
        Indices into the run's active steps, and the trace's step that follows each.
    """
    trace, following = run.trace, run.steps + 1
    inside = following < trace.n_steps
    inside[inside] = trace.canvas[following[inside]] == run.canvas
    if not evidence.has("inactive_rows") or evidence.settings.get("library") == "diffusers":
        inside[inside] = trace.active[following[inside], run.sample]
    inside &= run.decided
    return np.flatnonzero(inside), following[inside]


def committed_before(evidence: Evidence, run: CanvasRun) -> Array:
    """Positions that were unmasked before a step and that the log merely calls accepted in it: bool ``(T, C)``.

    Some loops log what they unmask now, others all that is unmasked by now. Neither says whether the step's candidate
    was used at these positions; that they stay is a rule of its own.
    """
    mask = evidence.trace.facts.mask_token_id
    if mask is None or not evidence.has("noised"):
        return np.zeros((run.n_steps, run.canvas_length), dtype=bool)
    committed: Array = (run.array("noised") != mask) & (run.array("decision") <= Decision.ACCEPTED)
    return committed
