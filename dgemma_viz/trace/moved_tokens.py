"""Positions that do not keep their meaning: canvases into which a loop inserts tokens, or from which it deletes some.

A trace says what becomes of each *position*. Where a loop inserts a token, as insertion-based masked diffusion does
(FlexMDM, arXiv 2509.01025), all behind it move by one: by position, kept tokens look edited, and padding that becomes a
mask looks re-masked. What is seen is one of these:

- a canvas that holds padding where it began, and a mask there later: it grew;
- at least :data:`FEWEST` tokens that stood in the canvas are gone from their positions, although all tokens that stood
  there still stand in it in their order; or, the other way round, all that stand in it stood there before, in order.

Re-masked tokens stay away or come back where they were, and edited tokens are other tokens, so neither looks like that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

KEEP_THEIR_MEANING = (
    "a position must keep its meaning in all steps of its canvas. A loop that inserts or deletes tokens moves those "
    "behind them: record its canvases laid out as they end, each token at its last position from the first step on, "
    "with the mask where nothing stood yet"
)

FEWEST = 3
"""Moved tokens, of at least two kinds, that are taken for a shift: one or two may be where they are by chance."""


def moved(begun: Array, before: Array, after: Array, mask: int, pad: int | None) -> str:
    """What shows that positions did not keep their meaning from one step to the next; empty if nothing does.

    Parameters
    ----------
    begun
        Token ids that the canvas's first step read, ``(C,)``.
    before, after
        Token ids that a step read, and that the next step reads or that were emitted, ``(C,)``.
    mask
        Id of the mask token.
    pad
        Id of the padding token, if there is one.
    """
    if pad is not None and pad != mask:
        grown = (begun == pad) & (before == pad) & (after == mask)
        if grown.any():
            return (
                f"the canvas grew: position {int(grown.argmax())} held padding from its first step on and is masked now"
            )
    fillers = (mask,) if pad is None else (mask, pad)
    stood, stands = ~np.isin(before, fillers), ~np.isin(after, fillers)
    gone = stood & stands & (before != after)
    if gone.sum() < FEWEST:
        return ""
    for tokens, others, shifted in (
        (before[stood], after[stands], before[stood & (before != after)]),
        (after[stands], before[stood], after[stands & stood & (before != after)]),
    ):
        if len(shifted) >= FEWEST and len(np.unique(shifted)) > 1 and _in_order(tokens.tolist(), others.tolist()):
            return f"{len(shifted)} tokens moved: the same tokens stand in the same order, but at other positions"
    return ""


def _in_order(tokens: Iterable[int], others: Iterable[int]) -> bool:
    """Whether all tokens occur among the others in their order."""
    rest = iter(others)
    return all(token in rest for token in tokens)
