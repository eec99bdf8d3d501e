"""What is seen of one denoising step of mlx-vlm's loop: collected from the functions that the loop calls in it.

Each of them is called with the loop's own arguments, and its result goes back untouched. The logits are reduced once
the step has decided, or, where it emits its argmax undecided, when the canvas is done; then they are let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.recorders.host_arrays import host_array
from dgemma_viz.recorders.mlx_reduce import reduce_mlx
from dgemma_viz.trace.decision import Decision

Array = npt.NDArray[Any]


@dataclass
class MlxStep:
    """One decoder pass and what follows from it; all arrays of MLX's are ``(B, C)`` but for the logits."""

    noised: Array
    logits: Any
    """``(B, C, V)``: the decoder's, until :attr:`temperature` is known the raw ones; None once they are reduced."""
    temperature: float | None = None
    candidate: Any = None
    entropy: Any = None
    entropy_bound: float | None = None
    finished: bool = False
    decided: dict[str, Array] = field(default_factory=dict)
    """What became of the positions, by the names of :data:`dgemma_viz.trace.schema.ARRAYS`."""
    reduced: dict[str, Array] = field(default_factory=dict)

    def accepted_by_entropy(self, mask: Any, bound: float, top_k: int) -> None:
        """Take which candidates stay under the bound."""
        self.entropy_bound = bound
        self.decided = {"accepted": host_array(mask)}
        self.reduce(top_k)

    def accepted_by_confidence(self, mask: Any, unrevealed: Any, top_k: int) -> None:
        """Take which candidates are revealed now; those revealed before are kept."""
        put, kept = host_array(mask), ~host_array(unrevealed)
        decision = np.where(put, Decision.ACCEPTED, np.where(kept, Decision.KEPT, Decision.NOISE))
        self.decided = {"decision": decision.astype(np.uint8)}
        self.finished = bool((put | kept).all())
        self.reduce(top_k)

    def reduce(self, top_k: int) -> None:
        """Reduce the logits that the step decides by, and let them go; a second call does nothing."""
        if self.logits is None:
            return
        logits = self.logits if self.temperature is None else self.logits / self.temperature
        self.reduced = reduce_mlx(logits, self.candidate, top_k)
        if self.decided:
            candidate = self.reduced["draft"] if self.candidate is None else host_array(self.candidate)
            self.decided["candidate"] = candidate
            self.reduced.setdefault("candidate_probability", self.reduced["confidence"])
        if self.entropy is not None:
            self.reduced["entropy"] = host_array(self.entropy)
        self.logits = self.candidate = self.entropy = None

    def handed_over(self) -> Mapping[str, Any]:
        """Arguments of :meth:`dgemma_viz.recorders.own_loop.Recorder.step`."""
        return {
            "noised": self.noised,
            "temperature": self.temperature,
            "entropy_bound": self.entropy_bound,
            "finished": self.finished,
            **self.decided,
            **self.reduced,
        }
