"""What an own loop emits: whole canvases, or rows that it cut at the end of their sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dgemma_viz.errors import RecordingError, TraceError
from dgemma_viz.recorders.own_loop_arrays import Array, as_array, per_position
from dgemma_viz.recorders.own_loop_step import OwnStep
from dgemma_viz.trace.cut_emission import end_token, whole_canvas
from dgemma_viz.trace.model import RunFacts


def emitted_rows(
    where: str, tokens: Any, last: OwnStep, earlier: Sequence[Array], facts: RunFacts
) -> tuple[Array, Array]:
    """Emitted tokens of a canvas, and what the canvas held when they were: int ``(B, C)`` each.

    They differ where tokens were cut off: there a canvas held what the last step had left.

    Parameters
    ----------
    where
        For messages.
    tokens
        ``(C,)``, ``(B, C)``, or rows of different lengths.
    last
        The canvas's last step.
    earlier
        Emitted canvases before, ``(B, C)`` each.
    facts
        For the tokens that end and pad a sequence.

    Raises
    ------
    RecordingError
        These are not the token ids of this canvas, or they were cut where no sequence ends.
    """
    samples, length = last.shape
    rows = _rows(where, tokens)
    if len(rows) != samples or all(row.ndim == 1 and len(row) == length for row in rows):
        whole = per_position(where, "emitted", rows, last.shape)
        return whole, whole
    ids, held = np.zeros(last.shape, dtype=np.int32), _left(last)
    for sample, row in enumerate(rows):
        given = per_position(where, "emitted", row, None)[0] if row.size else np.zeros(0, dtype=np.int32)
        draft = last.values["draft"][sample]
        before = (end_token(canvas[sample], facts) for canvas in earlier)
        ended = next((end for end in before if end is not None), None)
        try:
            ids[sample] = whole_canvas(given, length, draft, ended, facts)
        except TraceError as error:
            raise RecordingError(f"{where}: {error}") from error
        held[sample, : len(given)] = given
    return ids, held


def _rows(where: str, tokens: Any) -> list[Array]:
    ragged = isinstance(tokens, list | tuple) and any(np.ndim(row) for row in tokens)
    if ragged:
        return [as_array(where, "emitted", row) for row in tokens]
    array = as_array(where, "emitted", tokens)
    return list(array) if array.ndim > 1 else [array]


def _left(last: OwnStep) -> Array:
    """What the last step left, as far as it says so: its candidate where it accepted that, else what it read."""
    values = last.values
    accepted = last.accepted if last.accepted is not None else values.get("accepted")
    if accepted is None or "candidate" not in values:
        return np.array(values["noised"])
    return np.where(accepted, values["candidate"], values["noised"])
