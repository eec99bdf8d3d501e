"""What ``on_step`` receives: one denoising step as numpy arrays, before there is a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt


@dataclass(frozen=True)
class StepRecord:
    """One step. Arrays have the names, shapes (less the step axis) and meanings of :mod:`dgemma_viz.trace.schema`."""

    canvas: int
    step_in_canvas: int
    noised: npt.NDArray[np.int32]
    candidate: npt.NDArray[np.int32]
    draft: npt.NDArray[np.int32]
    accepted: npt.NDArray[np.bool_]
    entropy: npt.NDArray[np.float32]
    confidence: npt.NDArray[np.float32]
    candidate_probability: npt.NDArray[np.float32]
    top_k_ids: npt.NDArray[np.int32]
    top_k_probabilities: npt.NDArray[np.float16]
    active: npt.NDArray[np.bool_]
    finished: npt.NDArray[np.bool_]
    temperature: float
    entropy_bound: float
    wall_time: float
    token_text: Callable[[int], str]

    def sample(self, index: int) -> dict[str, npt.NDArray[Any]]:
        """The per-position arrays of one sample: ``(C,)`` or ``(C, K)``."""
        names = ("noised", "candidate", "draft", "accepted", "entropy", "confidence", "candidate_probability")
        return {name: getattr(self, name)[index] for name in (*names, "top_k_ids", "top_k_probabilities")}
