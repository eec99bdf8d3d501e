"""A way to compute the experts that suits small models on a CPU: all experts for all tokens, unchosen ones weighted 0.

The same numbers as upstream's loop over experts up to rounding, at most a few times the multiplications, and no
data-dependent shapes, so `torch.compile` fuses it. Used in training only; the saved model names no implementation.
"""

from __future__ import annotations

from typing import Any

import torch

from dgemma_viz.upstream.transformers import ALL_EXPERTS_FUNCTIONS

NAME = "dgemma_viz_dense"


def dense_experts(self: Any, hidden: torch.Tensor, chosen: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Compute the mixture for `hidden` (tokens, width) given `chosen` experts and `weights` (tokens, k)."""
    share = torch.zeros(hidden.shape[0], self.num_experts, dtype=hidden.dtype, device=hidden.device)
    share = share.scatter(1, chosen, weights.to(hidden.dtype))
    experts, doubled, width = self.gate_up_proj.shape
    gate, up = (
        torch.nn.functional.linear(hidden, self.gate_up_proj.reshape(experts * doubled, width))
        .view(-1, experts, 2, doubled // 2)
        .unbind(2)
    )
    inner = self.act_fn(gate) * up * share[:, :, None]
    return torch.nn.functional.linear(inner.flatten(1), self.down_proj.transpose(0, 1).flatten(1))


def use_dense_experts(model: Any) -> None:
    """Make this model object compute its experts densely from now on."""
    ALL_EXPERTS_FUNCTIONS.register(NAME, dense_experts)
    model.set_experts_implementation(NAME)
