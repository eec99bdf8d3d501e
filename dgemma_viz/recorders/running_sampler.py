"""Which sampler object really runs, where it is not the one that was asked for; and what it computes.

With a static cache, ``DiffusionGemmaGenerationMixin._compile_functions`` compiles the FIRST call's bound methods
``sampler.accept_canvas`` and ``sampler.renoise_canvas``, keeps them on the model (``_compiled_accept_canvas``,
``_compiled_renoise_canvas``) and sets them on every later call's sampler. So a later call runs with the first sampler's
bound, canvas length and vocabulary, the accepted mask appears on the first sampler, and its own sampler never has one.

What upstream's sampler computes of the logits anyway is seen while it does, so that it need not be computed again.
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

from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.upstream.transformers import COMPILED_ACCEPT, COMPILED_RENOISE

_REMEDY = (
    f"To run what is asked for, delete the model's '{COMPILED_ACCEPT}' and '{COMPILED_RENOISE}' before "
    "generate(), or pass disable_compile=True."
)


def bound_of(sampler: Any) -> float:
    """Entropy bound of a sampler in nats; NaN if it has none."""
    bound = getattr(sampler, "entropy_bound", None)
    return float(bound) if isinstance(bound, int | float) else float("nan")


def staleness(asked: Any, accepting: Any, renoising: Any) -> Notice | None:
    """What differs between the sampler asked for and those that run, with a remedy; None if nothing does.

    Parameters
    ----------
    asked
        The sampler that ``generate()`` made for this call.
    accepting, renoising
        The objects whose ``accept_canvas`` and ``renoise_canvas`` run (:func:`.torch_compile.owner_of`).
    """
    differing = [
        f"{name} {getattr(running, name)} instead of {getattr(asked, name)} in {role}"
        for running, role, names in (
            (accepting, "accept_canvas", ("entropy_bound",)),
            (renoising, "renoise_canvas", ("vocab_size", "canvas_length")),
        )
        for name in names
        if getattr(running, name, None) != getattr(asked, name, None)
    ]
    if differing:
        return Notice(
            NoticeCode.STALE_SAMPLER,
            f"generate() ran the compiled sampler of an earlier call: {'; '.join(differing)}. "
            f"The trace shows what really ran. {_REMEDY}",
        )
    if accepting is not renoising:
        return Notice(
            NoticeCode.MIXED_SAMPLERS,
            "generate() accepted tokens with one sampler and re-noised with the compiled one of an earlier call, whose "
            f"accepted mask is another: accepted tokens may have been re-noised. {_REMEDY}",
        )
    return None


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
