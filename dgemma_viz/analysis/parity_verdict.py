"""What can be said of two models that read the same canvases: evidence, where they differ, and the verdicts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.parity_tables import Decisions
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]


class Verdict(StrEnum):
    """What can be said of a changed run."""

    EXPLAINS = "the model's difference explains the changed run"
    DOES_NOT = "the model's difference does not explain a changed run"
    ENOUGH = "the model's difference is enough for another run"
    """B decides otherwise on the recorded canvases; no run of B's own was given that would show what came of it."""
    NOTHING = "the runs are the same: there is nothing to explain"
    UNKNOWN = "too little to go on"


@dataclass(frozen=True)
class Conclusion:
    """A verdict, its words, and its place.

    Attributes
    ----------
    verdict
        What it is.
    words
        Why, in sentences with numbers. NOT escaped.
    place
        Canvas, step and sample of the first decision that tells; None if there is none.
    """

    verdict: Verdict
    words: str
    place: tuple[int, int, int] | None = None


@dataclass(frozen=True, eq=False)
class Evidence:
    """What a verdict is drawn from.

    Attributes
    ----------
    trace
        Whose canvases both models read.
    a, b
        What both models' logits lead to.
    compared
        Bool ``(S, B, C)``.
    last
        Bool ``(S, B)``: the step's draft is emitted.
    own
        Whether B's self-conditioning was its own.
    noise
        Why the recorded noise is not known; empty if it is, or if nothing is drawn.
    unfaithful
        Why A's passes are not those of the recorded run, as a sentence; empty if they decide alike.
    """

    trace: Trace
    a: Decisions
    b: Decisions
    compared: Array
    last: Array
    own: bool
    noise: str
    unfaithful: str


def first_difference(
    trace: Trace, a: Decisions, b: Decisions, compared: Array, last: Array
) -> tuple[tuple[int, int, int], str, str] | None:
    """The first step and sample in which two models decide differently: place, place in words, and what; or None."""
    for step, sample in zip(*np.nonzero(compared.any(axis=-1)), strict=True):
        if what := differing(a, b, (step, sample), compared[step, sample], last=bool(last[step, sample])):
            return place_in(trace, step, sample), where_in(trace, step, sample), what
    return None


def differing(a: Decisions, b: Decisions, at: tuple[int, int], here: Array, *, last: bool) -> str:
    """What two models decide differently in a step of a sample, in words; empty if nothing reaches the next canvas.

    Parameters
    ----------
    a, b
        Of the same axes.
    at
        Step and sample.
    here
        Positions that count, bool ``(C,)``.
    last
        Whether the step's draft is emitted.
    """
    told = []
    kept = (a.accepted[at] != b.accepted[at]) & here
    if kept.any():
        told.append(f"{counted(int(kept.sum()), 'position')} accepted by one of them only")
    if a.candidate is not None and b.candidate is not None:
        other = a.accepted[at] & b.accepted[at] & here & (a.candidate[at] != b.candidate[at])
        if other.any():
            told.append(f"{counted(int(other.sum()), 'position')} accepted with another token")
    if a.finished is not None and b.finished is not None and a.finished[at] != b.finished[at]:
        told.append("one of them stops")
    drafts = (a.draft[at] != b.draft[at]) & here
    if last and drafts.any():
        told.append(f"{counted(int(drafts.sum()), 'position')} emitted otherwise")
    return ", ".join(told)


def place_in(trace: Trace, step: int, sample: int) -> tuple[int, int, int]:
    """Canvas, step within it and sample."""
    return int(trace.canvas[step]), int(trace.step_in_canvas[step]), int(sample)


def where_in(trace: Trace, step: int, sample: int) -> str:
    """The same in words; a sample is named where there are several."""
    canvas, place, sample = place_in(trace, step, sample)
    whose = f" of sample {sample}" if trace.n_samples > 1 else ""
    return f"canvas {canvas}, step {place}{whose}"
