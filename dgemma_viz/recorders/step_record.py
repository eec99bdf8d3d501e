"""One denoising step as ``on_step`` sees it, while the model is still generating."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class StepRecord:
    """Arrays of one step, named, typed and measured as in :data:`dgemma_viz.trace.schema.ARRAYS`, without axis ``S``.

    Arrays are read-only; per position ``(B, C)``, alternatives ``(B, C, K)``, per sample ``(B,)``.
    """

    canvas: int
    step_in_canvas: int
    noised: Array
    candidate: Array
    draft: Array
    accepted: Array
    entropy: Array
    confidence: Array
    candidate_probability: Array
    top_k_ids: Array
    top_k_probabilities: Array
    active: Array
    finished: Array
    temperature: float
    entropy_bound: float
    entropy_spent: Array
    mean_entropy: Array
    stable_steps: Array
    wall_time: float
    decision: Array
    phase: int
    mask_token_id: int | None
    text_of: Callable[[int], str] = field(repr=False)
    banned: Array | None = None
    banned_draft: Array | None = None
    """In calls with processors that may rule tokens out, see :data:`dgemma_viz.trace.schema.RULED_OUT`."""

    @property
    def length(self) -> int:
        """Positions ``C`` of the step's canvas."""
        return int(self.noised.shape[-1])

    def token_text(self, token_id: int) -> str:
        """Text of a token as :meth:`dgemma_viz.trace.model.Trace.token_text` will give it. NOT escaped."""
        return self.text_of(int(token_id))
