"""Interventions in transformers' ``generate()`` of a ``DiffusionGemmaForBlockDiffusion``.

What is hooked, as attributes of the one model object and of the objects of one call, and put back afterwards:

===========================================  =========================================================================
``generate``, ``_prepare_denoiser_inputs``   a run, and a canvas, begins: steps are counted from here
``_denoising_step``                          the canvas it is given is the changed one, its logits processors are
                                             followed by the pins, and parameters are changed for its time
its ``decoder_forward``                      self-conditioning withheld by upstream's own ``self_conditioning_mask``, or
                                             changed; what modules give, by hooks of PyTorch; and innermost who wants
                                             to be around the pass itself
``sampler.accept_canvas`` (in that step)     the accepted mask, forced where wanted, before re-noising reads it
===========================================  =========================================================================

The hooks are set inside a recording, so they are around those of the recorder where something is read (it records the
canvas that the step really reads), and beneath them where something is decided (it hooks ``accept_canvas`` anew in each
step, later than this module, so it records the forced decision).

The random numbers of a step are drawn by upstream for the whole canvas, before and whatever is decided: one candidate
and one noise token per position. So positions that an intervention does not reach get the same numbers as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from transformers import LogitsProcessorList

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.hooked_modules import changed_activations, runs_modules
from dgemma_viz.labs.interventions.plan import AroundPass, Effects, Plan
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.torch_compile import owner_of
from dgemma_viz.upstream.transformers import (
    DENOISING_STEP,
    PREPARE_CANVAS,
    LinearTemperatureScheduleLogitsProcessor,
)


@contextmanager
def changed_attributes(target: Any, values: Mapping[str, Any]) -> Iterator[None]:
    """Set attributes that the object has; they are put back, whatever happens."""
    before = {name: getattr(target, name) for name in values}
    try:
        for name, value in values.items():
            setattr(target, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(target, name, value)


@contextmanager
def hooked_generate(model: Any, plan: Plan, around_pass: AroundPass | None = None) -> Iterator[None]:
    """Carry out a plan in every ``generate()`` call of the model inside the block, with a function around each pass."""
    counted = _Counted(model, plan, around_pass)
    with InstanceHooks() as hooks:
        hooks.wrap(model, "generate", counted.around_generate)
        hooks.wrap(model, PREPARE_CANVAS, counted.around_canvas)
        hooks.wrap(model, DENOISING_STEP, counted.around_step)
        yield


class _Counted:
    """The hooks, which count canvases and steps."""

    def __init__(self, model: Any, plan: Plan, around_pass: AroundPass | None) -> None:
        self._model, self._plan, self._around_pass = model, plan, around_pass
        self._canvas = self._step = -1

    def around_generate(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._canvas = -1
        return original(*args, **kwargs)

    def around_canvas(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._canvas, self._step = self._canvas + 1, -1
        self._plan.check_batch(kwargs["batch_size"])
        return original(*args, **kwargs)

    def around_step(self, original: Callable[..., Any], **inputs: Any) -> Any:
        """Upstream names all arguments."""
        self._step += 1
        effects = self._plan.effects(self._canvas, self._step)
        if effects.activations:
            inputs["decoder_forward"] = runs_modules(inputs["decoder_forward"], self._model)
        if self._around_pass is not None:
            place = (self._canvas, self._step)
            inputs["decoder_forward"] = partial(self._around_pass, place, inputs["decoder_forward"])
        if not effects.holding:
            return original(**inputs)
        with ExitStack() as stack:
            _change_parameters(stack, effects.parameters, inputs)
            if effects.forces:
                hooks = stack.enter_context(InstanceHooks())
                hooks.wrap(inputs["sampler"], "accept_canvas", partial(_around_accept, effects, inputs["sampler"]))
            inputs["current_canvas"] = effects.read(inputs["current_canvas"])
            inputs["decoder_forward"] = _decoder(inputs["decoder_forward"], effects, self._model)
            inputs["logits_processor"] = _WithPins(inputs["logits_processor"], effects)
            return original(**inputs)


class _WithPins(LogitsProcessorList):  # type: ignore[misc]
    """The given processors, in the same list, and after them the pins."""

    def __init__(self, processors: LogitsProcessorList, effects: Effects) -> None:
        super().__init__(processors)
        self._effects = effects

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        pinned: torch.Tensor = self._effects.certain(super().__call__(input_ids, scores, **kwargs))
        return pinned


def _decoder(forward: Callable[..., Any], effects: Effects, model: Any) -> Callable[..., Any]:
    def changed(**inputs: Any) -> Any:
        with changed_activations(model, effects.activations):
            return forward(**effects.told(inputs))

    return changed


def _around_accept(
    effects: Effects,
    sampler: Any,
    accept: Callable[..., torch.Tensor],
    current: torch.Tensor,
    candidate: torch.Tensor,
    *others: Any,
) -> torch.Tensor:
    """``accept_canvas``, and then its mask forced wherever ``renoise_canvas`` may read it."""
    accept(current, candidate, *others)
    accepting = owner_of(accept, sampler)
    for owner in {id(one): one for one in (accepting, owner_of(sampler.renoise_canvas, sampler))}.values():
        mask = getattr(owner, "accepted_token_mask", None)
        if not isinstance(mask, torch.Tensor):
            raise SettingError(
                f"the running {type(owner).__name__} keeps no accepted mask that could be changed; its decisions "
                "cannot be forced. Pass disable_compile=True"
            )
        owner.accepted_token_mask = effects.forced(mask)
    return torch.where(accepting.accepted_token_mask, candidate, current)


def _change_parameters(stack: ExitStack, values: dict[str, Any], inputs: dict[str, Any]) -> None:
    """Set parameters on the objects that read them, for the time of a step."""
    sampler, stopping = inputs["sampler"], inputs["diffusion_stopping_criteria"]
    own = {name: value for name, value in values.items() if name in ("t_min", "t_max")}
    for processor in inputs["logits_processor"] if own else ():
        if isinstance(processor, LinearTemperatureScheduleLogitsProcessor):
            stack.enter_context(changed_attributes(processor, own))
    if "entropy_bound" in values:
        # With a static cache, that of an earlier call may be the one that runs.
        for owner in {id(one): one for one in (sampler, owner_of(sampler.accept_canvas, sampler))}.values():
            stack.enter_context(changed_attributes(owner, {"entropy_bound": values["entropy_bound"]}))
    stop: dict[str, Any] = {
        name: values[name] for name in ("stability_threshold", "confidence_threshold") if name in values
    }
    if not stop:
        return
    if stopping is None:
        raise SettingError("adaptive stopping was off in this run, so its thresholds cannot be changed")
    if stop.get("confidence_threshold", ...) is None:
        stop["confidence_threshold"] = -float("inf")  # a mean entropy is never below
    history = getattr(stopping, "argmax_canvas_history", None)
    wanted = stop.get("stability_threshold")
    if history is not None and wanted is not None and wanted != len(history):
        stopping.argmax_canvas_history = _resized(history, wanted)
    stack.enter_context(changed_attributes(stopping, stop))


def _resized(history: torch.Tensor, steps: int) -> torch.Tensor | None:
    """Last drafts ``(steps, B, C)``; what was not kept is a draft that nothing equals, as in upstream's first step."""
    if steps <= len(history):
        return history[len(history) - steps :] if steps else None
    missing = history.new_full((steps - len(history), *history.shape[1:]), -1)
    return torch.cat([missing, history])
