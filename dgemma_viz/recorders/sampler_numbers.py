"""What upstream's sampler computes of the logits anyway, seen while it does, so that it need not be computed again.

``EntropyBoundSampler.accept_canvas``, and ``EntropyBoundScheduler.step`` in diffusers, make a ``Categorical``, whose
``entropy()`` normalises the logits and sums over the vocabulary: several passes over ``(B, C, V)``, dearer than all the
rest of the recorder. The entropies that are then sorted are the very ones that decide, and the probabilities are those
that entropies, confidence and alternatives are of.

How. A ``TorchFunctionMode`` is torch's own way to see each torch function that this thread calls; it calls the function
and returns the result untouched. It is on only while an uncompiled method of upstream's own class runs:
``torch.compile`` guards on such modes, so around compiled code it would cause a second compilation; and a sampler of
one's own may sort something else. There the numbers are computed by :func:`~dgemma_viz.recorders.reduce.reduce_logits`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch.overrides import TorchFunctionMode


@dataclass
class SamplerNumbers:
    """Tensors of upstream's, to be read and let go at once; None where they were not seen."""

    probabilities: torch.Tensor | None = None
    """Softmax of the logits, ``(B, C, V)``."""
    entropy: torch.Tensor | None = None
    """Of each position in nats, ``(B, C)``."""

    def complete(self, logits: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Entropy and probabilities if both were seen and fit the logits ``(B, C, V)``, else None."""
        entropy, p = self.entropy, self.probabilities
        if entropy is None or p is None or entropy.shape != logits.shape[:-1] or p.shape != logits.shape:
            return None
        return entropy, p


@contextmanager
def watched(method: Callable[..., Any], upstream: Any) -> Iterator[SamplerNumbers]:
    """See what a sampler's method computes in the block, if it is ``upstream``, a function of upstream's own class.

    None as ``upstream`` is for samplers of which nothing is to be seen.
    """
    numbers = SamplerNumbers()
    if upstream is not None and getattr(method, "__func__", None) is upstream:
        with _Watch(numbers):
            yield numbers
    else:
        yield numbers


class _Watch(TorchFunctionMode):  # type: ignore[misc]
    """Keeps what ``softmax`` returned and what ``sort`` was given."""

    def __init__(self, numbers: SamplerNumbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        if func is torch.nn.functional.softmax:
            self._numbers.probabilities = result
        elif func is torch.sort and args:
            self._numbers.entropy = args[0]
        return result
