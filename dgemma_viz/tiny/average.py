"""A running average of the weights: what is evaluated and published."""

from __future__ import annotations

from typing import Any

import torch


class WeightAverage:
    """Exponential moving average of a model's parameters, with a shorter memory during the first steps."""

    def __init__(self, model: Any, decay: float = 0.998) -> None:
        self.decay = decay
        self.weights = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}

    def update(self, model: Any, step: int) -> None:
        """Move towards the model's weights after optimiser step `step`, counted from 0."""
        keep = min(self.decay, (1 + step) / (10 + step))
        names = list(self.weights)
        live = dict(model.named_parameters())
        with torch.no_grad():
            torch._foreach_lerp_([self.weights[name] for name in names], [live[name] for name in names], 1 - keep)

    def copy_to(self, model: Any) -> None:
        """Overwrite the model's parameters with the average."""
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.weights[name])
