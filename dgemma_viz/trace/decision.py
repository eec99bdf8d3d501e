"""What became of a position in a denoising step, and what kind of step it was: the codes of two arrays of a trace.

transformers' entropy-bound sampler knows two outcomes, noise or accepted. Other samplers keep a token that an earlier
step put in place (sticky commits), replace it later (editing), or resample it in a pass of its own (a corrector).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Decision(IntEnum):
    """Code in ``Trace.decision``. Everything but noise and no decision counts as accepted."""

    NOISE = 0
    """The position holds noise after the step: a new random token, or an earlier one that was left there. In a model
    with a mask token: it is still masked, or masked again."""
    ACCEPTED = 1
    """The step's candidate was put into the canvas. In a model with a mask token: unmasked."""
    KEPT = 2
    """A token that an earlier candidate had put there was left; the step's own candidate was not used."""
    EDITED = 3
    """A kept token was replaced by the step's candidate."""
    CORRECTED = 4
    """Resampled by a corrector sweep; the candidate is what it became."""


NO_DECISION: Final = 255
"""In place of a code where there is no decision: the step made none (a last step may emit its argmax without sampling),
or the canvas does not reach this far. All positions of a canvas have one, or none has."""


def is_accepted(decision: Array) -> Array:
    """Which codes count as accepted: bool, same shape."""
    kept: Array = (decision != Decision.NOISE) & (decision != NO_DECISION)
    return kept


def masked_outcome(before: Array, after: Array | None, mask: int, accepted: Array | None = None) -> Array:
    """What became of a canvas of masks: codes of :class:`Decision`, uint8 ``(..., C)``.

    Parameters
    ----------
    before
        Token ids that the step read, ``(..., C)``.
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


class Phase(IntEnum):
    """Code in ``Trace.phase``: what kind of decoder pass a step was."""

    DENOISE = 0
    """An ordinary denoising step."""
    CORRECT = 1
    """A corrector sweep, such as that of diffusers' ``DiscreteDDIMScheduler.step_correct`` (arXiv 2605.22765)."""
    EDIT = 2
    """A pass after the last mask was gone, which can only edit; diffusers' ``LLaDA2Pipeline``."""
