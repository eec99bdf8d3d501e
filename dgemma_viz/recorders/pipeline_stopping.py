"""Which samples of a canvas ``DiffusionGemmaPipeline`` has declared finished: a local variable of its loop.

Repeated here operation by operation from diffusers 0.42 (``DiffusionGemmaPipeline.__call__``, "Adaptive stopping"), on
the same logits, because nothing shows it from outside. It changes nothing: a finished sample's canvas is its draft from
then on, and the loop ends once all are finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch

from dgemma_viz.recorders.reduce import entropy_of


@dataclass
class PipelineStopping:
    """Follows the adaptive stopping of one canvas: :meth:`step`, then :meth:`look` after its corrector sweeps."""

    confidence_threshold: float | None
    finished: torch.Tensor
    """Samples that are finished as far as the pipeline knows, bool ``(B,)``."""
    draft: torch.Tensor
    """Ids ``(B, C)``; those of finished samples no longer change."""
    _history: torch.Tensor
    """The drafts before, oldest first, ``(stability_threshold, B, C)``."""
    _next: torch.Tensor
    """What ``finished`` becomes when the pipeline looks."""

    @classmethod
    def begin(cls, canvas: torch.Tensor, given: Mapping[str, Any]) -> Self:
        """At a canvas ``(B, C)`` of noise, by the thresholds that the pipeline's call was given."""
        none = torch.zeros(canvas.shape[0], dtype=torch.bool, device=canvas.device)
        history = canvas.new_full((max(given["stability_threshold"], 1), *canvas.shape), -1)
        return cls(given["confidence_threshold"], none, canvas.clone(), history, none)

    def step(self, logits: torch.Tensor, draft: torch.Tensor, entropy: torch.Tensor | None) -> None:
        """Take the scheduler's ``pred_logits`` ``(B, C, V)`` of a step, and what is known of them.

        Parameters
        ----------
        logits
            ``pred_logits``.
        draft
            Their argmax, ``(B, C)``.
        entropy
            Their entropies ``(B, C)``, if they are known to the last bit. Where nothing has to wait for the question,
            they are not computed for drafts that have changed.
        """
        self.draft = torch.where(self.finished[:, None], self.draft, draft)
        if self.confidence_threshold is None:
            return
        stable = (self._history == self.draft[None]).all(dim=-1).all(dim=0)
        self._history = torch.cat([self._history[1:], self.draft[None]])
        if entropy is None and logits.device.type == "cpu" and not (stable & ~self.finished).any():
            self._next = self.finished
            return
        entropy = entropy_of(logits.float()) if entropy is None else entropy
        self._next = self.finished | (stable & (entropy.mean(-1) < self.confidence_threshold))

    def look(self) -> None:
        """The pipeline looks at its stop rule: finished samples are frozen at their draft."""
        self.finished = self._next
