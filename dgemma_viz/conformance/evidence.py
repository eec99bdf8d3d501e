"""What the rules read: a trace, the settings that its sampler was asked for, and the tolerances."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance.tolerances import Tolerances
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Evidence:
    """A trace as the rules see it.

    Attributes
    ----------
    trace
        The trace.
    settings
        What the sampler was asked for. A name that is missing is not known; None means asked for none.
    tolerances
        Slack.
    """

    trace: Trace
    settings: Mapping[str, Any]
    tolerances: Tolerances

    def has(self, name: str) -> bool:
        """Whether an array was recorded, and holds at least one alternative where it is to hold some."""
        return name not in self.trace.facts.absent and (self.trace.top_k > 0 or not name.startswith("top_k_"))

    def number(self, name: str) -> float | None:
        """A setting as a finite number; None if it is none, not known or no number."""
        value = self.settings.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if math.isfinite(value) else None

    def runs(self) -> Iterator[CanvasRun]:
        """Every canvas of every sample, canvases outermost."""
        for canvas in range(self.trace.n_canvases):
            for sample in range(self.trace.n_samples):
                yield self.trace.canvas_run(canvas, sample)

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


def first_place(mask: Array) -> tuple[int, ...]:
    """Index of the first true element, outer axes first."""
    return tuple(int(index) for index in np.unravel_index(int(np.argmax(mask)), mask.shape))
