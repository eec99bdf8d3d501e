"""Plants that break what passes between the parts of ``generate()``: self-conditioning, mask, processors, sampler."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from dgemma_viz.labs.sabotage.changed_settings import changed_settings
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import (
    COMPILED_ACCEPT,
    COMPILED_DECODER,
    COMPILED_ENCODER,
    COMPILED_RENOISE,
    COMPILED_STOPPING,
    PREPARE_NEXT_CANVAS,
    PREPARE_PROCESSORS,
    PREPARE_SAMPLER,
    STATIC_CACHE,
)

if TYPE_CHECKING:
    Plant = Callable[[Any], AbstractContextManager[None]]

_EARLIER_BOUND = 5.0
"""Entropy bound, in nats, of the call that left its sampler behind."""


@contextmanager
def scrambled_self_conditioning(model: Any) -> Iterator[None]:
    """Feed back the logits of other tokens: the vocabulary axis rolled by half."""

    def forward(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        signal = kwargs.get("self_conditioning_logits")
        if signal is not None:
            kwargs["self_conditioning_logits"] = signal.roll(signal.shape[-1] // 2, dims=-1)
        return original(*args, **kwargs)

    with InstanceHooks() as hooks:
        hooks.wrap(model, "forward", forward)
        yield


def hidden_canvas(*, restart: bool) -> Plant:
    """Mask finished canvases from the decoder; with ``restart``, also let positions start again behind the prompt."""

    @contextmanager
    def plant(model: Any) -> Iterator[None]:
        def next_canvas(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
            canvas_length, before = kwargs["canvas_length"], kwargs["decoder_position_ids"]
            length, decoder_mask, mask, encoder_positions, positions = original(*args, **kwargs)
            decoder_mask[:, -2 * canvas_length : -canvas_length] = False  # behind them stands the new canvas
            return length, decoder_mask, mask, encoder_positions, before if restart else positions

        with InstanceHooks() as hooks:
            hooks.wrap(model, PREPARE_NEXT_CANVAS, next_canvas)
            yield

    return plant


@contextmanager
def doubled_schedule(model: Any) -> Iterator[None]:
    """What happens when one LogitsProcessorList is passed to two calls of ``generate()``, which appends to it."""

    def prepare(original: Callable[..., Any], config: Any, processors: Any = None) -> Any:
        return original(config, original(config, processors))

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_PROCESSORS, prepare)
        yield


@contextmanager
def stale_sampler(model: Any) -> Iterator[None]:
    """A static cache, and what an earlier call with a bound of 5 nats would have left on the model.

    Upstream keeps compiled functions; these are the same functions uncompiled, so that nobody waits for the compiler.
    """
    from dgemma_viz.upstream.transformers import (
        EntropyBoundSamplerConfig,
        StableAndConfidentStoppingCriteria,
    )

    config = copy.deepcopy(model.generation_config)
    config.sampler_config = EntropyBoundSamplerConfig(entropy_bound=_EARLIER_BOUND)
    config.max_denoising_steps = config.max_denoising_steps or 1
    earlier = getattr(model, PREPARE_SAMPLER)(config)
    left_behind = {
        COMPILED_ENCODER: model.model.encoder,
        COMPILED_DECODER: model.forward,
        COMPILED_ACCEPT: earlier.accept_canvas,
        COMPILED_RENOISE: earlier.renoise_canvas,
        COMPILED_STOPPING: StableAndConfidentStoppingCriteria.__call__,
    }
    attributes = vars(model)
    names = (*left_behind, STATIC_CACHE)
    before = {name: attributes[name] for name in names if name in attributes}
    attributes.update(left_behind)
    try:
        with changed_settings(cache_implementation="static")(model):
            yield
    finally:
        for name in names:
            attributes.pop(name, None)
        attributes.update(before)
