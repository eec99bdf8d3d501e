"""Why a position was accepted or not: its place on the cumulative-entropy curve, and its margin to the bound.

The rule is that of transformers' ``EntropyBoundSampler.accept_canvas``: sort the positions of a step by entropy,
ascending, and accept while the entropies of the positions *before* sum to no more than the bound. So the cheapest
position is always accepted, and a position's own entropy does not count against itself. Sums are float32, as upstream.
Positions of equal entropy keep their order here; torch's sort may order them otherwise, which matters only where the
bound falls between them.

What the bound limits (Ben-Hamu et al., arXiv:2505.24857). Tokens accepted together are drawn independently of each
other. The sum of their entropies less the largest bounds the multi-information of the drawn set: how far, in nats,
drawing independently can be from drawing jointly. That is the error as the *model* sees it, not wrongness.

A what-if bound has a limit. A step that another bound would have decided otherwise leads to another canvas, which the
model never read in this run: a re-decision is what would have happened only up to the first step that changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

BORDERLINE = 1e-4
"""Nats: nearer to the bound than this, rounding in another order of summation can turn a decision."""

_USE = "rank {rank} of {size} by entropy, the cheaper ones use {before} nats of the bound of {bound}"
WHY = {
    "no decision": "the step made no decision: no candidate was sampled and nothing accepted or re-noised",
    "no bound": "{verdict}; rank {rank} of {size} by entropy; no entropy bound is known for this step",
    "no entropy": "{verdict}; its entropy, or a cheaper one's, is not a number",
    "against the bound": f"{{verdict}}, although {_USE}: by the entropy bound it should be the other way",
    "to spare": f"{{verdict}}: {_USE}, {{left}} nats to spare",
    "over": f"{{verdict}}: {_USE}, {{left}} nats over",
}
"""Sentences by case; numbers in nats, to three digits."""


def ranks(run: CanvasRun) -> Array:
    """Place of each position in its step's order of entropy, from 0 (cheapest): int ``(T, C)``; NaN comes last."""
    order = np.argsort(run.array("entropy"), axis=-1, kind="stable")
    places = np.empty(order.shape, dtype=int)
    np.put_along_axis(places, order, np.arange(order.shape[1])[None, :], axis=-1)
    return places


def spent_before(run: CanvasRun) -> Array:
    """Entropy of all cheaper positions of the same step, in nats: float32 ``(T, C)``.

    A position is accepted exactly if this is no more than the bound. NaN from a position on whose entropy is no finite
    number.
    """
    entropy = run.array("entropy")
    order = np.argsort(entropy, axis=-1, kind="stable")
    ascending = np.take_along_axis(entropy, order, axis=-1)
    before = np.empty_like(entropy)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        spent = np.cumsum(ascending, axis=-1, dtype=np.float32) - ascending
    np.put_along_axis(before, order, spent, axis=-1)
    return before


def margins(run: CanvasRun, bound: float | None = None) -> Array:
    """Bound less :func:`spent_before`, in nats: float ``(T, C)``; accepted where it is 0 or more.

    ``bound`` None takes the one that each step really used; NaN where a step had none.
    """
    used = run.array("entropy_bound")[:, None] if bound is None else np.float32(bound)
    result: Array = used - spent_before(run)
    return result


def redecide(run: CanvasRun, bound: float) -> Array:
    """Which positions each step would accept under another bound, from the recorded entropies: bool ``(T, C)``.

    Raises
    ------
    SettingError
        The bound is not a number of nats of 0 or more.
    """
    accepted: Array = margins(run, checked_range("an entropy bound", bound, unit="nats")) >= 0
    return accepted


def first_change(run: CanvasRun, bound: float) -> int | None:
    """First step that another bound would have decided otherwise, None if no step; later ones are hypothetical."""
    changed = np.flatnonzero(run.decided & (redecide(run, bound) != run.array("accepted")).any(axis=-1))
    return int(changed[0]) if len(changed) else None


def borderline(run: CanvasRun) -> Array:
    """Positions so near to the bound that rounding may have decided: bool ``(T, C)``."""
    near: Array = np.abs(margins(run)) < BORDERLINE
    return near


def why(run: CanvasRun, step: int, position: int) -> str:
    """One sentence of :data:`WHY`: why a position was accepted or re-noised at a step, with its numbers."""
    accepted = bool(run.array("accepted")[step, position])
    bound = float(run.array("entropy_bound")[step])
    rank, before = int(ranks(run)[step, position]) + 1, float(spent_before(run)[step, position])
    if not run.decided[step]:
        case = "no decision"
    elif not np.isfinite(bound):
        case = "no bound"
    elif not np.isfinite(before):
        case = "no entropy"
    elif accepted != (before <= bound):
        case = "against the bound"
    else:
        case = "to spare" if accepted else "over"
    return WHY[case].format(
        verdict="accepted" if accepted else "re-noised",
        rank=rank,
        size=run.canvas_length,
        before=f"{before:.3g}",
        bound=f"{bound:.3g}",
        left=f"{abs(bound - before):.3g}",
    )
