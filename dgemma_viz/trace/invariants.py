"""What must hold of a trace's arrays: :func:`check` is called whenever one is built, so views need not ask again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.decision import NO_DECISION, Decision, Phase, is_accepted
from dgemma_viz.trace.schema import ARRAYS, TOKEN_ARRAYS, UNKNOWN_TOKEN

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]

_MOST_WITHOUT_STEPS = 2**20
"""Samples x positions x alternatives of a trace that holds no value of them."""


def check(trace: Trace) -> None:
    """Raise TraceError on the first broken invariant."""
    sizes: dict[str, tuple[int, str]] = {}
    for name, spec in ARRAYS.items():
        shape = getattr(trace, name).shape
        if len(shape) != len(spec.axes):
            raise TraceError(f"array '{name}' has {len(shape)} axes, expected {len(spec.axes)} ({spec.axes})")
        for axis, size in zip(spec.axes, shape, strict=True):
            known, owner = sizes.setdefault(axis, (size, name))
            if known != size:
                raise TraceError(f"array '{name}' has {axis}={size}, but '{owner}' has {axis}={known}")
    if trace.n_steps:
        _check_coordinates(trace)
    _check_sizes(trace, {axis: size for axis, (size, _) in sizes.items()})
    _check_lengths(trace)
    _check_tokens(trace)
    _check_decisions(trace)
    _check_ruled_out(trace)
    for name in ("confidence", "candidate_probability", "top_k_probabilities"):
        values = getattr(trace, name)
        finite = values[np.isfinite(values)]
        if finite.size and (finite.min() < 0 or finite.max() > 1 + 1e-3):
            raise TraceError(f"array '{name}' is a probability, but runs from {finite.min()} to {finite.max()}")


def _check_sizes(trace: Trace, sizes: Mapping[str, int]) -> None:
    """Every size must be borne out by values: views make room for what a trace says that it holds."""
    if not (sizes["B"] and sizes["C"]):
        raise TraceError("a trace has at least one sample (B) and one position (C)")
    if len(trace.emitted) > trace.n_canvases:
        raise TraceError(f"'emitted' holds {len(trace.emitted)} canvases, but only {trace.n_canvases} were denoised")
    claimed = sizes["B"] * sizes["C"] * max(1, sizes["K"])
    if not trace.n_steps and claimed > _MOST_WITHOUT_STEPS:
        raise TraceError(
            f"a trace without steps says that it has B={sizes['B']}, C={sizes['C']} and K={sizes['K']}; together "
            f"at most {_MOST_WITHOUT_STEPS:,} are allowed"
        )


def _check_lengths(trace: Trace) -> None:
    if not trace.n_steps:
        return
    if trace.length.min() < 1 or trace.length.max() != trace.canvas_length:
        raise TraceError(
            f"array 'length' runs from {trace.length.min()} to {trace.length.max()}; a canvas has at least 1 "
            f"position, and the longest has C={trace.canvas_length}"
        )
    if (trace.length != trace.canvas_lengths[trace.canvas]).any():
        raise TraceError("array 'length' changes within a canvas: positions must keep their meaning in all its steps")


def _nothing_held(trace: Trace, name: str) -> Array | None:
    """Where a token array must hold nothing: bool, of its shape; None if nowhere."""
    if not trace.is_ragged and trace.decided.all():
        return None
    axes = ARRAYS[name].axes
    if axes.startswith("SBC"):
        nothing = np.broadcast_to(~trace.in_canvas[:, None, :], trace.noised.shape)
        if name.startswith("candidate"):
            nothing = nothing | ~trace.decided[:, :, None]
    elif axes.startswith("NBC"):
        nothing = np.broadcast_to(~trace.in_emitted[:, None, :], trace.emitted.shape)
    else:
        return None
    return nothing if nothing.any() else None


def _check_tokens(trace: Trace) -> None:
    for name in TOKEN_ARRAYS:
        ids = getattr(trace, name)
        if name in trace.facts.absent:
            if (ids != UNKNOWN_TOKEN).any():
                raise TraceError(f"array '{name}' is said to be absent, but holds token ids")
            continue
        if (outside := _nothing_held(trace, name)) is not None:
            if (ids[outside] != UNKNOWN_TOKEN).any():
                raise TraceError(f"array '{name}' holds token ids beyond its canvas, or in a step without a decision")
            ids = ids[~outside]
        if ids.size and (ids.min() < 0 or (trace.facts.vocab_size and ids.max() >= trace.facts.vocab_size)):
            raise TraceError(
                f"array '{name}' holds token id {ids.min() if ids.min() < 0 else ids.max()}, "
                f"outside the vocabulary of {trace.facts.vocab_size}"
            )


def _check_decisions(trace: Trace) -> None:
    for name, codes in (("decision", Decision), ("phase", Phase)):
        values = getattr(trace, name)
        highest = values.max(initial=0, where=values != NO_DECISION) if name == "decision" else values.max(initial=0)
        if highest > max(codes):
            raise TraceError(f"array '{name}' holds the code {highest}; the last known is {max(codes)}")
    if (is_accepted(trace.decision) != trace.accepted).any():
        raise TraceError(
            "arrays 'accepted' and 'decision' contradict each other: a position is accepted where its decision is "
            "neither noise nor none. Give one of them, or change both"
        )
    none = trace.decision == NO_DECISION
    if (none != (~trace.in_canvas[:, None, :] | ~trace.decided[:, :, None])).any():
        raise TraceError(
            "array 'decision': a step decides on all positions of a sample's canvas or on none, and never beyond it"
        )


def _check_ruled_out(trace: Trace) -> None:
    if (trace.banned is None) != (trace.banned_draft is None):
        raise TraceError("arrays 'banned' and 'banned_draft' belong together: give both or neither")
    if trace.banned is None or trace.banned_draft is None:
        return
    for name, values in (("banned", trace.banned), ("banned_draft", trace.banned_draft)):
        if values.shape != trace.noised.shape:
            raise TraceError(f"array '{name}' has shape {values.shape}, but 'noised' has {trace.noised.shape}")
    size = trace.facts.vocab_size or np.iinfo(np.int32).max
    if trace.banned.size and not (trace.banned.min() >= 0 and trace.banned.max() < size):
        raise TraceError(
            f"array 'banned' runs from {trace.banned.min()} to {trace.banned.max()}; of {size} tokens at least one "
            "keeps its probability"
        )
    if trace.banned_draft.size and not (trace.banned_draft.min() >= UNKNOWN_TOKEN and trace.banned_draft.max() < size):
        raise TraceError(f"array 'banned_draft' holds token ids outside the vocabulary of {size}")
    if ((trace.banned_draft != UNKNOWN_TOKEN) & (trace.banned == 0)).any():
        raise TraceError("array 'banned_draft' holds a token where 'banned' says that none was ruled out")


def _check_coordinates(trace: Trace) -> None:
    canvas, step = trace.canvas, trace.step_in_canvas
    new = np.concatenate([[True], canvas[1:] != canvas[:-1]])
    expected_canvas = np.cumsum(new) - 1
    if not np.array_equal(canvas, expected_canvas):
        raise TraceError("coordinate 'canvas' must start at 0 and rise by one from canvas to canvas")
    starts = np.flatnonzero(new)
    if not np.array_equal(step, np.arange(len(step)) - starts[expected_canvas]):
        raise TraceError("coordinate 'step_in_canvas' must count up from 0 within each canvas")
