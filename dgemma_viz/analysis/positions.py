"""Per-position quantities of one canvas run: when a draft settled, how often it changed, what happened to it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.open_positions import open_positions
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def flips(run: CanvasRun) -> Array:
    """Where the draft changed against the step before: bool ``(T, C)``, first row all false."""
    draft = run.array("draft")
    changed = np.zeros(draft.shape, dtype=bool)
    changed[1:] = draft[1:] != draft[:-1]
    return changed


def open_flips(run: CanvasRun) -> Array:
    """Those of :func:`flips` at positions that were still open: bool ``(T, C)``."""
    changed: Array = flips(run) & open_positions(run)
    return changed


def flip_counts(run: CanvasRun) -> Array:
    """Number of flips per position: int ``(C,)``."""
    counts: Array = flips(run).sum(axis=0)
    return counts


def commit_steps(run: CanvasRun) -> Array:
    """First step from which the draft no longer changes, per position: int ``(C,)``; -1 where no step ran.

    The "commit step" of arXiv 2606.14620, taken on the argmax draft, which is what DiffusionGemma emits.
    """
    changed = flips(run)
    if not len(changed):
        return np.full(run.canvas_length, -1)
    last_change = len(changed) - 1 - np.argmax(changed[::-1], axis=0)
    return np.where(changed.any(axis=0), last_change, 0)


def re_noised_again(run: CanvasRun) -> Array:
    """Where an accepted position of the step before was re-noised in this step: bool ``(T, C)``, first row all false.

    DiffusionGemma's acceptance is not sticky, so this is how it takes a decision back. A step that makes no decision
    takes none back.
    """
    accepted = run.array("accepted")
    lost = np.zeros(accepted.shape, dtype=bool)
    lost[1:] = accepted[:-1] & ~accepted[1:] & run.decided[1:, None]
    return lost


def ever_accepted(run: CanvasRun) -> Array:
    """Whether the emitted token was ever accepted at its position: bool ``(C,)``; all false if not emitted."""
    if run.emitted is None:
        return np.zeros(run.canvas_length, dtype=bool)
    ever: Array = (run.array("accepted") & (run.array("candidate") == run.emitted)).any(axis=0)
    return ever


def returns(run: CanvasRun, sure: float | None = None) -> Array:
    """Where the draft of an open position came back to a token that it had given up (A, B, A): bool ``(T, C)``.

    The temporal oscillation of arXiv 2508.09138, counted per position. See
    :mod:`~dgemma_viz.analysis.open_positions`. With ``sure`` only where the token was decided both times, before it was
    given up and after the return: at some step of either stay it was drafted with at least this confidence. A draft may
    wander while nothing is decided, also back to what the model was sure of for a step, of noise that looked like text.
    """
    draft, changed = run.array("draft"), open_flips(run)
    held = np.ones(draft.shape, dtype=bool)
    if sure is not None:
        held = _in_whole_stay((run.array("confidence") >= sure) & ~clamped(run), draft)
    back = np.zeros(draft.shape, dtype=bool)
    for step in range(2, len(draft)):
        back[step] = changed[step] & held[step] & ((draft[: step - 1] == draft[step]) & held[: step - 1]).any(axis=0)
    return back


def _in_whole_stay(held: Array, draft: Array) -> Array:
    """Spread what holds at one step to all steps in a row with the same draft: bool ``(T, C)``."""
    spread = held.copy()
    for step in range(1, len(draft)):
        spread[step] |= spread[step - 1] & (draft[step] == draft[step - 1])
    for step in range(len(draft) - 2, -1, -1):
        spread[step] |= spread[step + 1] & (draft[step] == draft[step + 1])
    return spread


def answer_positions(run: CanvasRun) -> Array:
    """Positions of the answer, its end-of-sequence token included: bool ``(C,)``.

    Of the emitted tokens; of the last draft where the canvas was not emitted; none where no step ran either.
    """
    if run.emitted is None and not run.n_steps:
        return np.zeros(run.canvas_length, dtype=bool)
    final = run.array("draft")[-1] if run.emitted is None else run.emitted
    ends = np.isin(final, run.trace.facts.eos_token_ids) & run.in_output
    inside: Array = (np.cumsum(ends) - ends == 0) & run.in_output
    return inside


def confidence_gaps(run: CanvasRun) -> Array:
    """Probability of the most probable token less that of the second: float ``(T, C)``; NaN without a second.

    The confidence gap of Prophet (arXiv 2508.19982).
    """
    best = run.array("top_k_probabilities").astype(float)
    if best.shape[-1] < 2:  # noqa: PLR2004
        return np.full(best.shape[:2], np.nan)
    gaps: Array = np.where(clamped(run), np.nan, best[..., 0] - best[..., 1])
    return gaps
