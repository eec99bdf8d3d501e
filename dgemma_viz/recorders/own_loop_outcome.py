"""What became of the positions of a masked canvas in a step, from what the next step reads.

Loops of mask-token models tell which positions they unmask now (LLaDA's ``transfer_index``), or nothing at all. A trace
wants more: positions that were unmasked before are kept, or edited, or masked again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.decision import Decision

Array = npt.NDArray[Any]


def masked_outcome(before: Array, after: Array | None, mask: int, accepted: Array | None = None) -> Array:
    """Codes of :class:`~dgemma_viz.trace.decision.Decision`, uint8 ``(B, C)``.

    Parameters
    ----------
    before
        Token ids that the step read, ``(B, C)``.
    after
        Token ids that the next step reads, or what was emitted; what is masked there is noise. None where the run broke
        off: then only ``accepted`` is known.
    mask
        Id of the mask token.
    accepted
        Masked positions into which the loop says that it put its candidate. None: those that ``after`` shows unmasked.
    """
    was_masked = before == mask
    decision = np.where(was_masked, Decision.NOISE, Decision.KEPT)
    if after is None:
        put = np.zeros(before.shape, dtype=bool) if accepted is None else accepted
        return np.where(put & was_masked, Decision.ACCEPTED, decision).astype(np.uint8)
    put = before != after if accepted is None else accepted
    decision = np.where(put & was_masked, Decision.ACCEPTED, decision)
    decision = np.where(~was_masked & (after != before), Decision.EDITED, decision)
    return np.where(after == mask, Decision.NOISE, decision).astype(np.uint8)


def lost(accepted: Array, candidate: Array | None, after: Array, mask: int) -> int:
    """Positions that a step is said to have accepted, but that hold the mask in the next; unless it drew the mask."""
    drawn = False if candidate is None else candidate == mask
    return int((accepted & (after == mask) & ~np.asarray(drawn)).sum())
