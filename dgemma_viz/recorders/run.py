"""One ``generate()`` call while it runs: small tensors collected step by step, and the trace made of them at the end.

Copies to the host are asynchronous: a tensor is parked in pinned memory and read only when somebody asks for it (the
trace at the end, or ``on_step`` after each step), after one synchronisation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.recorders.token_texts import token_text, token_texts
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.schema import ARRAYS, TOKEN_ARRAYS

if TYPE_CHECKING:
    import numpy.typing as npt
    from torch import Tensor

_FROM_TENSORS = (
    "noised",
    "candidate",
    "draft",
    "accepted",
    "entropy",
    "confidence",
    "candidate_probability",
    "top_k_ids",
    "top_k_probabilities",
    "active",
    "finished",
)


def park(tensor: Tensor) -> Tensor:
    """A copy on the host that later changes of the original cannot reach; asynchronous from a GPU."""
    tensor = tensor.detach()
    if tensor.device.type != "cuda":
        return tensor.to("cpu", copy=True)
    return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)


@dataclass
class RunBuffer:
    """What a run has given so far.

    Attributes
    ----------
    tokenizer
        Hugging Face tokenizer, or None.
    top_k, canvas_length, n_samples
        Sizes ``K``, ``C``, ``B``.
    facts
        Facts as known so far; status, error and warnings are filled in at the end.
    """

    tokenizer: Any
    top_k: int
    facts: RunFacts
    canvas_length: int = 0
    n_samples: int = 1
    generator_state: npt.NDArray[np.uint8] | None = None
    prompt: Tensor | None = None
    prompt_mask: Tensor | None = None
    canvas: int = -1
    warnings: list[str] = field(default_factory=list)
    _began: float = field(default_factory=time.perf_counter)
    _steps: list[dict[str, Any]] = field(default_factory=list)
    _emitted: list[Tensor] = field(default_factory=list)
    _past_end: list[Tensor] = field(default_factory=list)

    def next_canvas(self) -> None:
        """Count a new canvas."""
        self.canvas += 1

    def add_step(self, tensors: dict[str, Tensor], *, temperature: float, entropy_bound: float) -> None:
        """Keep a step that ran to its end: parked tensors named as in the schema."""
        same_canvas = bool(self._steps) and self._steps[-1]["canvas"] == self.canvas
        self._steps.append(
            {
                **tensors,
                "canvas": self.canvas,
                "step_in_canvas": self._steps[-1]["step_in_canvas"] + 1 if same_canvas else 0,
                "temperature": temperature,
                "entropy_bound": entropy_bound,
                "wall_time": time.perf_counter() - self._began,
            }
        )

    def add_emitted(self, tokens: Tensor, past_end: Tensor) -> None:
        """Keep the tokens ``(B, C)`` that a canvas added to the output, and which samples ``(B,)`` had ended before."""
        self._emitted.append(tokens)
        self._past_end.append(past_end)

    def set_facts(self, **facts: Any) -> None:
        """Fill in facts that became known."""
        self.facts = replace(self.facts, **facts)

    def warn_once(self, message: str) -> bool:
        """Note a warning for the trace's facts; False if it was noted before."""
        if message in self.warnings:
            return False
        self.warnings.append(message)
        return True

    def last_step(self) -> StepRecord:
        """The step just added, as numpy arrays; waits for the device."""
        _wait_for_copies()
        step = self._steps[-1]
        arrays = {name: step[name].numpy() for name in _FROM_TENSORS}
        numbers = {
            name: step[name] for name in ("canvas", "step_in_canvas", "temperature", "entropy_bound", "wall_time")
        }
        return StepRecord(**arrays, **numbers, token_text=self._text)

    def _text(self, token_id: int) -> str:
        text = token_text(self.tokenizer, int(token_id))
        return f"⟨{int(token_id)}⟩" if text is None else text

    def to_trace(self, status: str = "complete", error: str = "") -> Trace:
        """The trace of all steps that ran to their end."""
        _wait_for_copies()
        arrays = self._arrays()
        ids = np.unique(np.concatenate([np.unique(arrays[name]) for name in TOKEN_ARRAYS]))
        return Trace(
            **arrays,
            facts=replace(self.facts, status=status, error=error, warnings=tuple(self.warnings)),
            token_texts=token_texts(self.tokenizer, ids),
            generator_state=self.generator_state,
        )

    def _arrays(self) -> dict[str, Any]:
        sizes = {"S": len(self._steps), "B": self.n_samples, "C": self.canvas_length, "K": self.top_k, "N": 0, "P": 0}
        arrays = {name: np.zeros([sizes[axis] for axis in spec.axes], spec.dtype) for name, spec in ARRAYS.items()}
        if self._steps:
            for name in _FROM_TENSORS:
                arrays[name] = np.stack([step[name].numpy() for step in self._steps])
            for name in ("canvas", "step_in_canvas", "temperature", "entropy_bound", "wall_time"):
                arrays[name] = np.array([step[name] for step in self._steps])
            arrays |= _derived(arrays)
        if self._emitted:
            arrays["emitted"] = np.stack([tokens.numpy() for tokens in self._emitted])
            arrays["past_end"] = np.stack([ended.numpy() for ended in self._past_end])
        if self.prompt is not None and self.prompt_mask is not None:
            arrays["prompt"], arrays["prompt_mask"] = self.prompt.numpy(), self.prompt_mask.numpy()
        return arrays


def _derived(arrays: dict[str, Any]) -> dict[str, Any]:
    """The schema's derived per-step arrays, from the measured ones."""
    entropy, accepted, draft = arrays["entropy"], arrays["accepted"], arrays["draft"]
    spent = np.where(accepted, entropy, 0).sum(axis=-1) - np.where(accepted, entropy, 0).max(axis=-1)
    stable = np.zeros(draft.shape[:2], dtype=np.int32)
    for step in range(1, len(draft)):
        if arrays["canvas"][step] == arrays["canvas"][step - 1]:
            unchanged = (draft[step] == draft[step - 1]).all(axis=-1)
            stable[step] = np.where(unchanged, stable[step - 1] + 1, 0)
    return {"entropy_spent": spent, "mean_entropy": entropy.mean(axis=-1), "stable_steps": stable}


def _wait_for_copies() -> None:
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
