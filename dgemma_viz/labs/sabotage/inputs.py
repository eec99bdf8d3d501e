"""Wrong inputs: settings far off, and a loop whose parts hand each other something else than they should.

Settings are changed in a copy of the model's own config, which ``generate()`` merges as usual; self-conditioning, mask,
positions and processors are changed on their way to the decoder. The loop itself keeps its rules.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from dgemma_viz.labs.sabotage.fault import Fault, Plant
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import PREPARE_NEXT_CANVAS, PREPARE_PROCESSORS


def changed_settings(**changes: Any) -> Plant:
    """A plant that changes fields of the generation config; ``entropy_bound`` is put into the sampler's own config."""

    @contextmanager
    def plant(model: Any) -> Iterator[None]:
        from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig

        before = model.generation_config
        config = copy.deepcopy(before)
        for name, value in changes.items():
            if name == "entropy_bound":
                config.sampler_config = EntropyBoundSamplerConfig(entropy_bound=value)
            else:
                setattr(config, name, value)
        model.generation_config = config
        try:
            yield
        finally:
            model.generation_config = before

    return plant


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


FAULTS: tuple[Fault, ...] = (
    Fault(
        "loose-bound",
        "Entropy bound of 50 nats",
        "Five hundred times the released bound, at temperatures from 2 to 1.5: unsure candidates are accepted "
        "together.",
        "",
        changed_settings(entropy_bound=50.0, t_min=1.5, t_max=2.0),
    ),
    Fault(
        "tight-bound",
        "Entropy bound of 0.000001 nats",
        "Tokens that are practically certain are re-noised again and again.",
        "",
        changed_settings(entropy_bound=1e-6),
    ),
    Fault(
        "hot-temperatures",
        "Temperatures from 6 to 5",
        "The distributions are so flat that no position is ever sure.",
        "",
        changed_settings(t_min=5.0, t_max=6.0),
    ),
    Fault(
        "two-steps",
        "A limit of 2 denoising steps",
        "The temperature schedule runs over 2 steps in place of 48: the second step is colder than it should be.",
        "Jmeg8r/diffusiongemma-benchmark: accuracy by number of steps",
        changed_settings(max_denoising_steps=2),
    ),
    Fault(
        "stops-at-once",
        "Stop rule that is always met",
        "Stability over 0 steps and a confidence threshold of 10 nats: the first draft is emitted as it is.",
        "",
        changed_settings(stability_threshold=0, confidence_threshold=10.0),
    ),
    Fault(
        "never-stops",
        "Stop rule that is never met",
        "A confidence threshold of 1e-12 nats: each canvas uses up its limit of steps.",
        "mlx-vlm#1347 (adaptive stopping never converged)",
        changed_settings(confidence_threshold=1e-12),
    ),
    Fault(
        "scrambled-self-conditioning",
        "Self-conditioning of other tokens",
        "Each step is told that the last one predicted other tokens than it did.",
        "arXiv 2606.20560 (self-conditioning ablation)",
        scrambled_self_conditioning,
    ),
    Fault(
        "hidden-canvas",
        "Earlier canvases hidden from the decoder",
        "From the second canvas on, the decoder does not know what has been written.",
        "",
        hidden_canvas(restart=False),
    ),
    Fault(
        "restarted-canvas",
        "Each canvas begins anew",
        "Earlier canvases are hidden and positions start again: the first canvas is written once more.",
        "",
        hidden_canvas(restart=True),
    ),
    Fault(
        "doubled-schedule",
        "Temperature schedule applied twice",
        "One LogitsProcessorList passed to several calls: generate() appends its schedule to it each time.",
        "transformers 5.23 _prepare_logits_processor",
        doubled_schedule,
    ),
)
