"""Bugs that were published in runtimes of DiffusionGemma, planted one at a time into the unmodified ``generate()``.

Each breaks one rule that :func:`dgemma_viz.check_conformance` replays: the stop rule (its window, what it takes its
entropy from, its memory), what a denoising step leaves behind, where a canvas begins, or the sampler that runs.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.labs.sabotage.inputs import changed_settings
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.transformers import (
    COMPILED_ACCEPT,
    COMPILED_DECODER,
    COMPILED_ENCODER,
    COMPILED_RENOISE,
    COMPILED_STOPPING,
    DENOISING_STEP,
    PREPARE_SAMPLER,
    PREPARE_STOPPING,
    STATIC_CACHE,
)

FIRST_STEP = 1
"""Step of each canvas, from 0, from which hidden states are NaN."""
_EARLIER_BOUND = 5.0
"""Entropy bound, in nats, of the call that left its sampler behind."""


@contextmanager
def short_window(model: Any) -> Iterator[None]:
    """Take ``stability_threshold`` for the number of equal drafts: one fewer comparison than it asks for."""
    from dgemma_viz.upstream.transformers import StableAndConfidentStoppingCriteria

    def prepare(original: Callable[..., Any], config: Any) -> Any:
        criterion = original(config)
        if criterion is None:
            return None
        window = max(criterion.stability_threshold - 1, 0)
        return StableAndConfidentStoppingCriteria(window, criterion.confidence_threshold)

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_STOPPING, prepare)
        yield


@contextmanager
def forgetful_criterion(model: Any) -> Iterator[None]:
    """Forget the last draft before each comparison, so that none is ever unchanged."""

    def judge(criterion: Any, original: Callable[..., Any], *args: Any) -> Any:
        criterion.reset()
        return original(*args)

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_STOPPING, _with_judgement(judge))
        yield


@contextmanager
def raw_confidence(model: Any) -> Iterator[None]:
    """Judge confidence by the entropy of the raw logits, before temperature."""
    last: list[Any] = []

    def forward(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        last[:] = [output.logits]
        return output

    def judge(_criterion: Any, original: Callable[..., Any], draft: Any, _processed: Any) -> Any:
        return original(draft, last[0])

    with InstanceHooks() as hooks:
        hooks.wrap(model, "forward", forward)
        hooks.wrap(model, PREPARE_STOPPING, _with_judgement(judge))
        yield


def _with_judgement(judge: Callable[..., Any]) -> Callable[..., Any]:
    """Around the preparation of the stop rule: ``judge(criterion, its own __call__, draft, logits)`` decides."""

    def prepare(original: Callable[..., Any], config: Any) -> Any:
        criterion = original(config)
        if criterion is None:
            return None

        class Judging(type(criterion)):  # type: ignore[misc]
            def __call__(self, draft: Any, logits: Any) -> Any:
                return judge(self, super().__call__, draft, logits)

        criterion.__class__ = Judging
        return criterion

    return prepare


@contextmanager
def argmax_canvas(model: Any) -> Iterator[None]:
    """Let the next step read the whole draft, in place of accepted candidates among random tokens."""

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        _, draft, self_conditioning, finished = original(*args, **kwargs)
        return draft.clone(), draft, self_conditioning, finished

    with InstanceHooks() as hooks:
        hooks.wrap(model, DENOISING_STEP, step)
        yield


@contextmanager
def thawed_rows(model: Any) -> Iterator[None]:
    """Denoise samples that have finished along with the others."""

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        import torch

        finished_before = kwargs["finished_denoising"].clone()
        kwargs["finished_denoising"] = torch.zeros_like(finished_before)
        canvas, draft, self_conditioning, finished = original(*args, **kwargs)
        return canvas, draft, self_conditioning, finished | finished_before

    with InstanceHooks() as hooks:
        hooks.wrap(model, DENOISING_STEP, step)
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


@contextmanager
def row_used_again(model: Any) -> Iterator[None]:
    """Begin each canvas after a call's first with the last draft of the row before; in the first, deal out one draw."""
    last: list[Any] = []

    def step(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        last[:] = [result[1]]
        return result

    def prepare(original: Callable[..., Any], config: Any) -> Any:
        sampler = original(config)
        last.clear()

        class Reusing(type(sampler)):  # type: ignore[misc]
            re_noising = False

            def initialize_canvas(self, batch_size: int, device: Any) -> Any:
                canvas = super().initialize_canvas(batch_size, device)
                if self.re_noising:
                    return canvas
                return last[0].roll(1, dims=0) if last else canvas[:1].repeat(batch_size, 1)

            def renoise_canvas(self, *args: Any) -> Any:
                self.re_noising = True
                canvas = super().renoise_canvas(*args)
                self.re_noising = False
                return canvas

        sampler.__class__ = Reusing
        return sampler

    with InstanceHooks() as hooks:
        hooks.wrap(model, PREPARE_SAMPLER, prepare)
        hooks.wrap(model, DENOISING_STEP, step)
        yield


@contextmanager
def nan_hidden_state(model: Any) -> Iterator[None]:
    """Make every hidden state NaN from the second step of each canvas on, in a runtime that goes on.

    transformers refuses such logits three times over (``torch.multinomial`` in the step, ``Categorical`` in the sampler
    and in the stop rule), so this plant brings a denoising step of its own. It is upstream's with those three replaced
    by what fused samplers do: the candidate is the argmax of logits plus Gumbel noise (which draws from the softmax),
    and comparisons with NaN are false, so nothing is accepted and nothing stops. The argmax of NaN is token 0, padding.
    """

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


FAULTS: tuple[Fault, ...] = (
    Fault(
        "stability-off-by-one",
        "Stability window one step short",
        "A canvas stops after as many equal drafts as the threshold says, in place of as many unchanged steps: with "
        "the released threshold of 1, at the first confident draft.",
        "vllm#45965",
        short_window,
        named_by=("stop-rule",),
    ),
    Fault(
        "argmax-in-canvas",
        "Argmax written into the canvas",
        "The next step reads the whole draft, unsure positions included, where random tokens should be.",
        "Rapid-MLX#555",
        argmax_canvas,
        named_by=("re-noised-random", "accepted-kept"),
    ),
    Fault(
        "finished-rows-change",
        "Finished samples keep changing",
        "Samples of a batch that have finished are denoised on while the others need more steps.",
        "diffusers#14386",
        thawed_rows,
        named_by=("finished-rows-frozen",),
    ),
    Fault(
        "raw-confidence",
        "Confidence from raw logits",
        "The stop rule takes its entropy from the logits before temperature, which are less sure.",
        "diffusers#14386",
        raw_confidence,
        named_by=("stop-rule",),
    ),
    Fault(
        "never-stable",
        "Adaptive stopping never converges",
        "The stop rule forgets the last draft, so that none is ever unchanged and every canvas takes all its steps. "
        "(In mlx-vlm the cause was the model, whose router read normalised states; the sampler kept its rules.)",
        "mlx-vlm#1347",
        forgetful_criterion,
        named_by=("stop-rule",),
    ),
    Fault(
        "stale-sampler",
        "Compiled sampler of an earlier call",
        "With a static cache, the sampler compiled by the first call runs in all later ones, with its bound of 5 nats.",
        "transformers 5.23 _compile_functions",
        stale_sampler,
        named_by=("bound-as-asked",),
    ),
    Fault(
        "row-used-again",
        "Rows begin with another's canvas",
        "No noise is drawn for a row: each canvas begins with the last draft of the row before it in the batch, the "
        "first ones with one draw for all. (One canvas of one sample is as it should be.)",
        "tenstorrent/vllm#459",
        row_used_again,
        named_by=("rows-begin-apart",),
    ),
    Fault(
        "nan-hidden-state",
        "NaN hidden states, a canvas of padding",
        "From the second step on all logits are NaN; the argmax of NaN is padding.",
        "vllm#47424",
        nan_hidden_state,
        named_by=("numbers-finite",),
    ),
)
