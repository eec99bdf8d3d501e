"""Emitted tokens that a runtime cut at the end of the sequence: filled up to the canvas that they came from.

A trace holds whole canvases. transformers pads behind the first end-of-sequence token; other runtimes keep the raw
canvas, which is whole already, or throw away what follows the end, some of them the end token as well. What was thrown
away is filled with padding (without a padding token, with end tokens), and the end token is put back where the last
draft has it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import RunFacts

Array = npt.NDArray[Any]


def end_token(ids: Array, facts: RunFacts) -> int | None:
    """The first of some token ids ``(n,)`` that ends a sequence."""
    ends = ids[np.isin(ids, facts.eos_token_ids)]
    return int(ends[0]) if len(ends) else None


def whole_canvas(ids: Array, length: int, draft: Array | None, ended: int | None, facts: RunFacts) -> Array:
    """The emitted canvas, int32 ``(C,)``.

    Parameters
    ----------
    ids
        Emitted token ids, at most ``C`` of them.
    length
        Positions ``C``.
    draft
        The sample's last draft of the canvas, ``(C,)``, if there is one.
    ended
        The end token of the sample's sequence, where an earlier canvas held it.
    facts
        For the tokens that end and pad a sequence.

    Raises
    ------
    TraceError
        There are more than ``C``, or they are fewer although the sequence did not end there.
    """
    if len(ids) == length:
        return ids
    if len(ids) > length:
        raise TraceError(f"'emitted' has {counted(len(ids), 'token')}, but its canvas has {length}")
    end, put_back = ended if ended is not None else end_token(ids, facts), np.zeros(0, dtype=np.int32)
    if end is None and draft is not None:
        put_back = draft[len(ids) : len(ids) + 1]
        end = end_token(put_back, facts)
    if end is None:
        raise TraceError(
            f"'emitted' has {counted(len(ids), 'token')}, but its canvas has {length}, and neither they nor the "
            "draft behind them end the sequence: give the whole canvas, and name the end tokens in 'eos_token_ids' "
            "(what was not asked for, 'output_span' leaves out)"
        )
    pad = facts.pad_token_id
    filler = end if pad is None or not 0 <= pad < (facts.vocab_size or pad + 1) else pad
    rest = np.full(length - len(ids) - len(put_back), filler)
    return np.concatenate([ids, put_back, rest]).astype(np.int32)
