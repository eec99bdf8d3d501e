"""Interventions in diffusers' ``DiffusionGemmaPipeline`` with any of its schedulers.

What is hooked on the objects of one pipeline, and put back afterwards:

==================================  ==================================================================================
``_prepare_inputs``                 a run begins
``model.forward``                   a decoder pass, which is a step: the canvas that it reads is the changed one, its
                                    logits are certain of what is pinned, self-conditioning is withheld by the model's
                                    own ``self_conditioning_mask``, or changed; modules give what is wanted; innermost
                                    stands who wants to be around the pass. Without self-conditioning logits, a canvas
                                    begins
``scheduler.step`` (one call)       set by the pass before, and so around the recorder's hook: the scheduler, too, gets
                                    the changed canvas; parameters are changed for its time
``scheduler.step`` (all the time)   set before the recorder's, which are set when a call begins, and so beneath them:
                                    its output, and what a sticky scheduler remembers, with the forced decisions
==================================  ==================================================================================

A corrector sweep is a step of its own, as in the trace; it resamples a few positions and decides nothing, so forced
decisions wait for the next ordinary step.

The schedulers do not tell the noise that they drew for positions which they accepted. So where re-noising is forced,
the token comes from a generator of its own: any but the candidate and the one that stood there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch

from dgemma_viz.labs.interventions.hooked_modules import changed_activations
from dgemma_viz.labs.interventions.plan import AroundPass, Effects, Plan
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.upstream.diffusers import PREPARE_PROMPT, changed_config, committed, set_committed

_OF_THE_CALL = {"temperature"}
"""What the pipeline hands to ``scheduler.step`` in each step; everything else stands in the scheduler's config."""


@contextmanager
def hooked_pipeline(pipeline: Any, plan: Plan, around_pass: AroundPass | None = None) -> Iterator[None]:
    """Carry out a plan in every call of the pipeline inside the block, with a function around each pass."""
    counted = _Counted(pipeline, plan, around_pass)
    with InstanceHooks() as hooks:
        hooks.wrap(pipeline, PREPARE_PROMPT, counted.around_inputs)
        hooks.wrap(pipeline.model, "forward", counted.around_pass)
        hooks.wrap(pipeline.scheduler, "step", counted.around_decision)
        yield


class _Counted:
    """The hooks, which count canvases and steps."""

    def __init__(self, pipeline: Any, plan: Plan, around_pass: AroundPass | None) -> None:
        self._scheduler, self._model = pipeline.scheduler, pipeline.model
        self._plan, self._around_pass = plan, around_pass
        self._canvas = self._step = -1
        self._effects = plan.effects(-1, -1)

    def around_inputs(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._canvas = -1
        return original(*args, **kwargs)

    def around_pass(self, original: Callable[..., Any], **inputs: Any) -> Any:
        """The pipeline names all arguments."""
        logits = inputs.get("self_conditioning_logits")
        self._canvas, self._step = (self._canvas + 1, 0) if logits is None else (self._canvas, self._step + 1)
        self._plan.check_batch(len(inputs["decoder_input_ids"]))
        effects = self._effects = self._plan.effects(self._canvas, self._step)
        if self._around_pass is not None:
            original = partial(self._around_pass, (self._canvas, self._step), original)
        if not effects.holding:
            return original(**inputs)
        inputs["decoder_input_ids"] = effects.read(inputs["decoder_input_ids"])
        with changed_activations(self._model, effects.activations):
            output = original(**effects.told(inputs))
        output.logits = effects.certain(output.logits)
        self._change_next_step({"sample": inputs["decoder_input_ids"]}, effects.parameters)
        return output

    def _change_next_step(self, arguments: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
        """Let the next call of ``step`` or ``step_correct`` have other arguments and parameters."""
        hooks = InstanceHooks()

        def once(original: Callable[..., Any], **given: Any) -> Any:
            hooks.restore()
            of_call = {name: parameters[name] for name in _OF_THE_CALL & parameters.keys() & given.keys()}
            config = {name: value for name, value in parameters.items() if name not in _OF_THE_CALL}
            with changed_config(self._scheduler, config):
                return original(**{**given, **arguments, **of_call})

        for name in ("step", "step_correct"):
            if hasattr(self._scheduler, name):
                hooks.wrap(self._scheduler, name, once)

    def around_decision(self, original: Callable[..., Any], *args: Any, **given: Any) -> Any:
        output = original(*args, **given)
        if self._effects.forces:
            noise = partial(_noise, (self._canvas, self._step), self._plan.vocabulary)
            _force(self._effects, self._scheduler, given["sample"], output, noise)
        return output


def _force(effects: Effects, scheduler: Any, sample: torch.Tensor, output: Any, noise: Callable[..., Any]) -> None:
    """Change a step's output as if the scheduler had decided so, and what it remembers of it."""
    nothing = torch.zeros_like(sample, dtype=torch.bool)
    accept, renoise = effects.forced(nothing), ~effects.forced(~nothing)
    candidate = output.sampled_tokens
    output.prev_sample = torch.where(accept, candidate, output.prev_sample)
    output.prev_sample = torch.where(renoise, noise(candidate, sample), output.prev_sample)
    if hasattr(output, "accepted_index"):
        output.accepted_index = (output.accepted_index | accept) & ~renoise
    before = committed(scheduler)
    if before is not None:
        earlier = before & ~output.transfer_index
        output.transfer_index = (output.transfer_index | (accept & ~earlier)) & ~renoise
        edited = accept & earlier & (candidate != sample)
        output.editing_transfer_index = (output.editing_transfer_index | edited) & ~renoise
        set_committed(scheduler, (before | accept) & ~renoise)


def _noise(place: tuple[int, int], vocabulary: int, candidate: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Random tokens ``(B, C)``, none of which is the candidate or the one that stood there."""
    drawn = np.random.default_rng(place).integers(0, vocabulary, candidate.shape)
    noise = torch.as_tensor(drawn, device=candidate.device)
    for _ in range(2):  # the next token may be the other of the two
        noise = torch.where((noise == candidate) | (noise == sample), (noise + 1) % vocabulary, noise)
    return noise
