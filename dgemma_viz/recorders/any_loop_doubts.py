"""Passes that are no denoising steps: why there is no trace of them, and what makes one doubt the trace there is.

A forward pass does not say what it is for. Scoring a text by masking parts of it reads masks as well, and a loop that
writes from left to right into a canvas that is laid out fills it up as well. What they look like is said, not decided:
a loop that denoises may look like that by chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.recorders.any_loop_decisions import Inferred
from dgemma_viz.recorders.any_loop_open import OpenRuns
from dgemma_viz.recorders.any_loop_pass import Pass
from dgemma_viz.recorders.any_loop_runs import WatchedRun
from dgemma_viz.recorders.mask_token import NONE
from dgemma_viz.trace.model import UNKNOWN_TOKEN

HAND_OVER = "hand over what the loop returned, inside the block: recording.result(ids)"
_FEWEST = 4
"""Tokens that must have been written, or have come back, before they count as a pattern."""


def why_nothing(name: str, passes: int, unread: int, runs: Sequence[WatchedRun], open_runs: OpenRuns) -> str:
    """Why there is no trace, and what to do.

    Parameters
    ----------
    name
        Class of the model.
    passes, unread
        How many ran, and how many of them were given no token ids.
    runs
        All that were watched.
    open_runs
        What was known of the mask token.
    """
    return next(_reasons(name, passes, unread, runs, open_runs))


def _reasons(name: str, passes: int, unread: int, runs: Sequence[WatchedRun], open_runs: OpenRuns) -> Iterator[str]:
    if not passes:
        yield (
            f"no forward pass of this {name} ran. Call what denoises inside the 'with' block, with this model; if it "
            "hands over to a part, such as model.language_model, record that part"
        )
    if unread == passes:
        yield (
            f"every pass (of {passes}) read embeddings, or something else that holds no token ids, so that no canvas "
            "was seen. Pass ids to the model, or tell the loop's steps: dv.Recorder"
        )
    yield from [run.facts.error for run in runs if run.facts.error][-1:]
    for one in (one for run in runs for one in run.passes if run.lacks_logits(one)):
        yield (
            f"no pass (of {passes}) gave logits of the {one.reading.ids.shape} ids that it read: what {name} "
            "returns holds no floating-point tensor of samples, positions and vocabulary, in this order. Tell the "
            "loop's steps instead: dv.Recorder"
        )
    if open_runs.masks:
        ids = " or ".join(map(str, open_runs.masks))
        yield (
            f"no pass (of {passes}) read the mask token {ids}. Pass the id that the loop writes into the canvas, "
            f"dv.record(..., mask_token_id=...), or {NONE} if noise is any token of the vocabulary"
        )
    text = (
        f"no position changed in {counted(passes, 'pass')} (a loop that only appends tokens, as autoregressive ones "
        "do, denoises nothing)"
    )
    if open_runs.is_told_of_no_mask:
        yield f"{text}. If this one denoised, {HAND_OVER}"
    yield (
        f"{text}, and {name} names no mask token. Pass the id that the loop writes into the canvas, "
        f"dv.record(..., mask_token_id=...); or {HAND_OVER}"
    )


def doubts(run: WatchedRun, steps: Inferred) -> Iterator[str]:
    """What the passes of a run look like, other than denoising."""
    same, other = (0, 0) if run.mask is None else _came_back(run.passes, run.state.shape, run.mask)
    if same >= _FEWEST and not other:
        yield (
            f"{same} tokens that stood there from the first were masked, and all came back as they had been. Scoring a "
            "text by masking parts of it looks like this; if it was that, nothing was decided here"
        )
    if steps.alignment.shift and _one_by_one(run.passes):
        yield (
            "One token was written in each pass, from left to right, by the logits of the position before it. An "
            "autoregressive loop looks like this; if it was one, nothing was denoised here"
        )


def _came_back(passes: Sequence[Pass], shape: tuple[int, ...], mask: int) -> tuple[int, int]:
    """Of tokens that were read before any mask in their place, and masked later: how many came back, and others did."""
    given, hidden = np.full(shape, UNKNOWN_TOKEN, np.int32), np.zeros(shape, bool)
    same = other = 0
    for one in passes:
        span, ids = one.reading.span(), one.reading.ids
        is_mask, first = ids == mask, given[:, span].copy()
        back = hidden[:, span] & ~is_mask & (first != mask)
        same, other = same + int((back & (ids == first)).sum()), other + int((back & (ids != first)).sum())
        given[:, span] = np.where(first == UNKNOWN_TOKEN, ids, first)
        hidden[:, span] = is_mask
    return same, other


def _one_by_one(passes: Sequence[Pass]) -> bool:
    """Whether every pass changed one column, the next on the right."""
    columns = [
        np.flatnonzero((before.reading.ids != after.reading.ids).any(axis=0)) + before.reading.begin
        for before, after in pairwise(passes)
        if before.reading.span() == after.reading.span()
    ]
    if len(columns) < _FEWEST or any(len(one) != 1 for one in columns):
        return False
    return bool((np.diff(np.concatenate(columns)) == 1).all())
