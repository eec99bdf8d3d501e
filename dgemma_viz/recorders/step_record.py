"""One denoising step as ``on_step`` sees it, while the model is still generating."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Self

import numpy.typing as npt

from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import ARRAYS

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

    @classmethod
    def last_of(cls, trace: Trace, text_of: Callable[[int], str]) -> Self:
        """The last step of the trace of a run that is still going on."""
        length = int(trace.canvas_lengths[-1])
        values = {one.name: getattr(trace, one.name)[-1] for one in fields(cls) if one.name in ARRAYS}
        return cls(
            **{name: value[:, :length] if value.ndim > 1 else value for name, value in values.items() if value.ndim},
            **{name: value.item() for name, value in values.items() if not value.ndim},
            mask_token_id=trace.facts.mask_token_id,
            text_of=text_of,
        )

    @property
    def length(self) -> int:
        """Positions ``C`` of the step's canvas."""
        return int(self.noised.shape[-1])

    def token_text(self, token_id: int) -> str:
        """Text of a token as :meth:`dgemma_viz.trace.model.Trace.token_text` will give it. NOT escaped."""
        return self.text_of(int(token_id))
