"""Which samples of a canvas ``DiffusionGemmaPipeline`` has declared finished: a local variable of its loop.

Repeated here operation by operation from diffusers 0.42 (``DiffusionGemmaPipeline.__call__``, "Adaptive stopping"), on
the same logits, because nothing shows it from outside. It changes nothing: a finished sample's canvas is its argmax
prediction from then on, and the loop ends once all are finished.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch


@dataclass
class PipelineStopping:
    """Follows the adaptive stopping of one canvas; the thresholds are those of the pipeline's call."""

    stability_threshold: int
    confidence_threshold: float | None
    finished: torch.Tensor | None = field(default=None, init=False)
    """Bool ``(B,)``; None before the first step."""
    draft: torch.Tensor | None = field(default=None, init=False)
    _history: torch.Tensor | None = field(default=None, init=False)

    def step(self, logits: torch.Tensor) -> None:
        """Take the scheduler's ``pred_logits`` ``(B, C, V)`` of a step."""
        draft = logits.argmax(dim=-1)
        if self.finished is None or self.draft is None or self._history is None:
            self.finished = torch.zeros(draft.shape[0], dtype=torch.bool, device=draft.device)
            self._history = draft.new_full((max(self.stability_threshold, 1), *draft.shape), -1)
        else:
            draft = torch.where(self.finished[:, None], self.draft, draft)
        if self.confidence_threshold is not None:
            stable = (self._history == draft[None]).all(dim=-1).all(dim=0)
            self._history = torch.cat([self._history[1:], draft[None]])
            entropy = torch.distributions.Categorical(logits=logits.float()).entropy()
            self.finished = self.finished | (stable & (entropy.mean(-1) < self.confidence_threshold))
        self.draft = draft
