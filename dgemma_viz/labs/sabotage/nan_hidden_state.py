"""A plant for NaN hidden states in a runtime that goes on: logits that are NaN, and a sampler that takes their argmax.

transformers refuses such logits three times over (``torch.multinomial`` in the step, ``Categorical`` in the sampler and
in the stop rule), so this one plant brings a denoising step of its own. It is upstream's with those three replaced by
what fused samplers do: the candidate is the argmax of logits plus Gumbel noise (which draws from the softmax), and
comparisons with NaN are false, so nothing is accepted and nothing stops. The argmax of NaN is token 0, padding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import DENOISING_STEP, PREPARE_SAMPLER

FIRST_STEP = 1
"""Step of each canvas, from 0, from which hidden states are NaN."""


@contextmanager
def nan_hidden_state(model: Any) -> Iterator[None]:
    """Make every hidden state NaN from the second step of each canvas on."""

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        limit = kwargs["logits_processor"][-1].max_denoising_steps
        if limit - kwargs["cur_step"] < FIRST_STEP:
            return original(*args, **kwargs)
        return _nan_step(kwargs)

    with InstanceHooks() as hooks:
        hooks.wrap(model, DENOISING_STEP, step)
        hooks.wrap(model, PREPARE_SAMPLER, _tolerant_sampler)
        yield


def _nan_step(inputs: Mapping[str, Any]) -> tuple[Any, Any, Any, Any]:
    """``_denoising_step`` with NaN logits, Gumbel-argmax sampling, and a stop rule that NaN never meets."""
    import torch

    from dgemma_viz.upstream.transformers import CACHE

    noised, remaining, sampler = inputs["current_canvas"], inputs["cur_step"], inputs["sampler"]
    outputs = inputs["decoder_forward"](
        decoder_input_ids=noised,
        self_conditioning_logits=inputs["self_conditioning_logits"],
        decoder_attention_mask=inputs["mask_mapping"],
        **{CACHE: inputs[CACHE]},
        decoder_position_ids=inputs["decoder_position_ids"],
    )
    logits = torch.full_like(outputs.logits, float("nan"))
    processed = inputs["logits_processor"](inputs["input_ids"], logits, cur_step=torch.tensor(remaining))
    gumbel = -torch.empty_like(processed).exponential_().log()
    candidate, draft = (processed + gumbel).argmax(dim=-1), processed.argmax(dim=-1)
    canvas = sampler.renoise_canvas(sampler.accept_canvas(noised, candidate, processed, remaining), remaining)
    finished = inputs["finished_denoising"]
    return (
        torch.where(finished[:, None], noised, canvas),
        torch.where(finished[:, None], inputs["argmax_canvas"], draft),
        processed,
        finished,
    )


def _tolerant_sampler(original: Callable[..., Any], config: Any) -> Any:
    """Upstream's sampler, which accepts nothing where entropies are NaN."""
    import torch

    sampler = original(config)

    class Tolerant(type(sampler)):  # type: ignore[misc]
        def accept_canvas(self, current_canvas: Any, denoiser_canvas: Any, logits: Any, cur_step: Any) -> Any:
            if torch.isfinite(logits).any():
                return super().accept_canvas(current_canvas, denoiser_canvas, logits, cur_step)
            self.accepted_token_mask = torch.zeros_like(current_canvas, dtype=torch.bool)
            return current_canvas

    sampler.__class__ = Tolerant
    return sampler
