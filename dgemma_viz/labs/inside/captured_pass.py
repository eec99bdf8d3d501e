"""One forward pass with its hidden states, attention and routers kept: what a layer computed, not computed again.

What is hooked, for the time of one pass, and taken away afterwards:

==================================  ==================================================================================
forward hooks of the layers         the hidden states that enter the first one and leave each
forward hooks of the routers        which experts were chosen
transformers' table of attention    the queries, keys, mask and scale that the running attention function is given
functions
==================================  ==================================================================================

Why it is neutral. Hooks return nothing, the attention function that runs is the one that ran before, with its own
arguments, and nothing is drawn from a random generator: so the logits are those of the bare pass, bit for bit. What a
fused kernel (SDPA, flash) does not give out, the attention weights, is softmax of queries times keys, computed here in
float32 from the very tensors that the kernel read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from dgemma_viz.labs.inside.anatomy import Anatomy
from dgemma_viz.labs.inside.attention_weights import attention_weights
from dgemma_viz.upstream.transformers import attention_called_through, attention_implementation


@dataclass
class Caught:
    """What a pass left, of one sample.

    Attributes
    ----------
    hidden
        By depth: ``(n, width)`` in the model's dtype.
    attention
        By layer: weights ``(H, n, keys)``, in float16 on the host; one head where they are averaged.
    routed
        By layer: probabilities ``(n, experts)``, factors and experts ``(n, chosen)``.
    """

    hidden: dict[int, torch.Tensor] = field(default_factory=dict)
    attention: dict[int, torch.Tensor] = field(default_factory=dict)
    routed: dict[int, tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = field(default_factory=dict)


@contextmanager
def capturing(
    anatomy: Anatomy,
    sample: int,
    positions: int,
    *,
    depths: tuple[int, ...] = (),
    attention: tuple[int, ...] = (),
    heads: tuple[int, ...] = (),
    experts: tuple[int, ...] = (),
) -> Iterator[Caught]:
    """Keep what the next pass inside the block computes.

    Parameters
    ----------
    anatomy
        Of the model.
    sample, positions
        Which of the batch, and how many tokens each has in this pass: routers get those of all samples in one row.
    depths
        Of hidden states.
    attention, heads
        Layers and heads of attention; averaged if no head is named.
    experts
        Layers of routers.
    """
    caught = Caught()
    with ExitStack() as stack:
        for depth in depths:
            if depth:
                hook = partial(_keep_hidden, caught, sample, depth)
                handle = anatomy.layers[depth - 1].register_forward_hook(hook)
            else:
                enters = partial(_keep_first, caught, sample)
                handle = anatomy.layers[0].register_forward_pre_hook(enters, with_kwargs=True)
            stack.callback(handle.remove)
        for layer in experts:
            rows = slice(sample * positions, (sample + 1) * positions)
            handle = anatomy.routers[layer].register_forward_hook(partial(_keep_routed, caught, rows, layer))
            stack.callback(handle.remove)
        if attention:
            known = {id(anatomy.attention[layer]): layer for layer in attention}
            runs = attention_implementation(anatomy.attention[0].config)
            stack.enter_context(attention_called_through(runs, _Watch(caught, sample, known, heads, runs)))
        yield caught


def _keep_first(caught: Caught, sample: int, _layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    hidden = args[0] if args else kwargs["hidden_states"]
    caught.hidden[0] = hidden[sample].detach().clone()


def _keep_hidden(caught: Caught, sample: int, depth: int, _layer: Any, _args: Any, output: Any) -> None:
    hidden = output[0] if isinstance(output, tuple) else output
    caught.hidden[depth] = hidden[sample].detach().clone()


def _keep_routed(caught: Caught, samples: slice, layer: int, _router: Any, _args: Any, output: Any) -> None:
    probabilities, factors, chosen = (part.detach()[samples] for part in output)
    caught.routed[layer] = (probabilities, factors, chosen)


@dataclass(frozen=True, eq=False)
class _Watch:
    """In place of the attention function: weights of the layers that are looked at, and the function as it is."""

    caught: Caught
    sample: int
    layers: Mapping[int, int]
    """By the ``id()`` of their modules."""
    heads: tuple[int, ...]
    implementation: str

    def __call__(self, original: Callable[..., Any], module: Any, *given: Any, **options: Any) -> Any:
        layer = self.layers.get(id(module))
        if layer is not None:
            query, key, _, mask = given
            asked: dict[str, Any] = {"sample": self.sample, "implementation": self.implementation, "options": options}
            weights = attention_weights(module, query, key, mask, **asked)
            kept = weights[list(self.heads)] if self.heads else weights.mean(dim=0, keepdim=True)
            self.caught.attention[layer] = kept.half().cpu()
        return original(*given, **options)
