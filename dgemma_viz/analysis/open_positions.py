"""Where a step's draft still mattered: positions that the sampler could yet fill, not those that it held for good.

A sticky sampler (mask tokens, block refinement) computes a draft at every position in every step, also where a token
was given or committed long before. There the argmax may change as it likes: the canvas does not follow it, and neither
does the output. Whatever is said of drafts that settle, come back or doubt is therefore said of open positions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import UNKNOWN_TOKEN, CanvasRun

Array = npt.NDArray[Any]

_CHOOSE_ANEW = {SamplerKind.ENTROPY_BOUND, SamplerKind.DISCRETE_DDIM, SamplerKind.CAUSAL}
"""Samplers without positions that are fixed and drafted all the same: the first two may replace any token in any step,
and left-to-right decoding does not draft again what it wrote."""


def open_positions(run: CanvasRun) -> Array:
    """Where the position was not yet fixed when the step began: bool ``(T, C)``.

    Fixed is a position whose token was there before the step and stayed to the end of the canvas, by the decisions
    (:attr:`~dgemma_viz.trace.decision.Decision.KEPT`) or by the tokens that the steps read. One that is edited or
    masked again later is open until then. All are open where the sampler chooses anew in every step, and where the
    trace does not tell.
    """
    fixed = _held(run)[::-1]
    open_: Array = ~np.logical_and.accumulate(fixed, axis=0)[::-1]
    return open_


def given_positions(run: CanvasRun) -> Array:
    """Positions that held their token before the first step, as in infilling: bool ``(C,)``; none where no step ran."""
    if not run.n_steps:
        return np.zeros(run.canvas_length, dtype=bool)
    given: Array = ~open_positions(run)[0]
    return given


def _held(run: CanvasRun) -> Array:
    """Where a token was there before the step and after it: bool ``(T, C)``."""
    kind = sampler_kind(run.trace)
    decision = run.array("decision")
    if kind in _CHOOSE_ANEW:
        return np.zeros(decision.shape, dtype=bool)
    noised = run.array("noised")
    known = noised != UNKNOWN_TOKEN
    there: Array = decision == Decision.KEPT
    if kind is SamplerKind.MASKED:
        there |= known & (noised != run.trace.facts.mask_token_id)
    elif kind is SamplerKind.BLOCK_REFINEMENT:
        there[1:] |= known[1:] & run.array("accepted")[:-1]
    held: Array = there & (_left_alone(run, noised) | ~known)
    return held


def _left_alone(run: CanvasRun, noised: Array) -> Array:
    """Where the canvas held after the step what the step had read: bool ``(T, C)``.

    After the last step it is what was emitted, but for the padding that takes the place of what follows an end.
    """
    same = np.ones(noised.shape, dtype=bool)
    same[:-1] = noised[1:] == noised[:-1]
    if run.emitted is not None and len(noised):
        same[-1] = (run.emitted == noised[-1]) | (run.emitted == run.trace.facts.pad_token_id)
    return same
