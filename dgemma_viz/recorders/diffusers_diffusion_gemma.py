"""The recorder of diffusers' ``DiffusionGemmaPipeline`` (diffusers 0.42) with any of its three schedulers.

What is hooked, for the time of the block and, within it, of a call:

=================================  ===================================================================================
the call itself                    a run begins and ends: clock, seed, generator state, settings, exception, last canvas
``_prepare_inputs``                prompt and its mask
``model.model.encoder.forward``    the canvas before, as it was appended to the context
``scheduler.step``                 noised canvas; afterwards what it sampled and decided
``scheduler.step_correct``         the same of a corrector sweep: a decoder pass, and so a step, of its own
``scheduler._select_positions``    which positions the sweep resamples
=================================  ===================================================================================

Every hook calls the original with its own arguments and returns its result untouched; see
:mod:`dgemma_viz.recorders.diffusion_gemma` for what that takes. The scheduler is looked up when a call begins, so it
may be exchanged between calls.

What differs from transformers' loop: the pipeline emits the CANVAS that it ends with, not the draft (a finished
sample's canvas is its draft); nothing after the end of a sequence is replaced by padding; without a temperature, the
candidate is the draft, and what is recorded is the softmax of the raw logits, at temperature 1.
"""

from __future__ import annotations

import importlib.metadata
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.pipeline_stopping import PipelineStopping
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.reduce import DTYPES, reduce_logits
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.recorders.run_facts import facts_at_start, generator_state, vocabulary_size
from dgemma_viz.recorders.scheduler_decisions import FOLLOWERS, Decided, DiscreteDDIM, Follower
from dgemma_viz.recorders.tokenizer_match import check_tokenizer, tokenizer_of
from dgemma_viz.trace.decision import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CALL_SETTINGS = (
    "temperature",
    "stability_threshold",
    "confidence_threshold",
    "cache_implementation",
    "eos_early_stop",
)
_RENAMED = {"num_inference_steps": "max_denoising_steps", "gen_length": "max_new_tokens"}


@dataclass
class _Call:
    """What one call of the pipeline needs to be followed."""

    run: Run
    given: Mapping[str, Any]
    """Arguments of the call by name, defaults included."""
    follower: Follower
    stopping: PipelineStopping
    canvas_length: int
    sweeps_left: int = 0
    """Corrector sweeps still to come before the pipeline looks at its stop rule."""
    finished_before: torch.Tensor | None = None
    """Rows that had finished the canvas before the step, ``(B,)``; None in its first."""


class DiffusionGemmaPipelineRecording(Recording):
    """Recording of a ``DiffusionGemmaPipeline``; see the module."""

    def __init__(self, pipeline: Any, tokenizer: Any, **options: Any) -> None:
        tokenizer = tokenizer_of(pipeline.processor if tokenizer is None else tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, vocabulary_size(pipeline.model), ())
        super().__init__(pipeline, tokenizer, **options)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the pipeline's call; everything else is hooked when one begins."""
        hooks.wrap_call(self._model, self._around_call)

    # -- a call --------------------------------------------------------------------------------------------------

    def _around_call(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = by_name(original, args, kwargs, defaults=True)
        run = Run(_facts(self._model, given, self._task), _state(self._model, given.get("generator")))
        with self._running(run), InstanceHooks() as hooks:
            run.attempt(lambda: self._follow(hooks, run, given))
            result = original(*args, **kwargs)
            run.attempt(lambda: _take_last(run, self._model.model.config.canvas_length, result))
            return result

    def _follow(self, hooks: InstanceHooks, run: Run, given: Mapping[str, Any]) -> None:
        pipeline, scheduler = self._model, self._model.scheduler
        names = [cls.__name__ for cls in type(scheduler).__mro__]
        known = next((name for name in names if name in FOLLOWERS), None)
        if known is None:
            raise RecordingError(
                f"the scheduler {names[0]} is not known: recording follows {', '.join(FOLLOWERS)}. For another one, "
                "record its steps with dv.Recorder"
            )
        follower = FOLLOWERS[known](scheduler)
        stopping = partial(PipelineStopping, given["stability_threshold"], given["confidence_threshold"])
        call = _Call(run, given, follower, stopping(), pipeline.model.config.canvas_length)
        hooks.wrap(pipeline, "_prepare_inputs", partial(_around_inputs, run))
        hooks.wrap(pipeline.model.model.encoder, "forward", partial(_around_encoder, call, stopping))
        hooks.wrap(scheduler, "step", partial(self._around_step, call))
        if isinstance(follower, DiscreteDDIM):
            hooks.wrap(scheduler, "_select_positions", partial(_around_selection, run, follower))
            hooks.wrap(scheduler, "step_correct", partial(self._around_sweep, call, follower))

    # -- a step --------------------------------------------------------------------------------------------------

    def _around_step(self, call: _Call, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run, given = call.run, by_name(original, args, kwargs)
        tensors: dict[str, torch.Tensor] = {}
        run.attempt(lambda: call.follower.before(given))
        run.attempt(lambda: _take_begin(call, given, tensors))
        output = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time

        def complete() -> None:
            call.stopping.step(output.pred_logits)
            draft, finished = call.stopping.draft, call.stopping.finished
            call.sweeps_left = _sweeps_after(self._model.scheduler, call.given, int(given["timestep"]))
            self._keep(call, call.follower.after(given, output), tensors, draft, finished, wall_time, Phase.DENOISE)

        run.attempt(complete)
        self._announce(run)
        return output

    def _around_sweep(
        self, call: _Call, follower: DiscreteDDIM, original: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        run, given = call.run, by_name(original, args, kwargs)
        tensors: dict[str, torch.Tensor] = {}
        run.attempt(lambda: _take_begin(call, given, tensors))
        output = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time

        def complete() -> None:
            call.sweeps_left -= 1
            draft = given["model_output"].argmax(dim=-1)
            decided = follower.after_sweep(output)
            self._keep(call, decided, tensors, draft, call.stopping.finished, wall_time, Phase.CORRECT)

        run.attempt(complete)
        self._announce(run)
        return output

    def _keep(
        self,
        call: _Call,
        decided: Decided,
        tensors: dict[str, torch.Tensor],
        draft: torch.Tensor | None,
        finished: torch.Tensor | None,
        wall_time: float,
        phase: Phase,
    ) -> None:
        assert draft is not None  # noqa: S101 - stopping.step() ran
        assert finished is not None  # noqa: S101
        run = call.run
        take = run.copies.take
        if call.sweeps_left:  # the pipeline looks at the stop rule after the sweeps
            finished = torch.zeros_like(finished) if call.finished_before is None else call.finished_before
        else:
            call.finished_before = finished
        reduced = reduce_logits(decided.logits, decided.candidate, self._top_k)
        tensors["candidate"] = take(decided.candidate, torch.int32)
        tensors["decision"] = take(decided.decision, torch.uint8)
        tensors["draft"] = take(draft, torch.int32)
        tensors["finished"] = take(finished, torch.bool)
        tensors |= {name: take(reduced[name], dtype) for name, dtype in DTYPES.items()}
        canvas, step = run.next_place
        run.steps.append(Step(canvas, step, tensors, decided.temperature, decided.entropy_bound, wall_time, int(phase)))


def _take_begin(call: _Call, given: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    sample = given["sample"]
    before = call.finished_before
    active = torch.ones(sample.shape[0], dtype=torch.bool) if before is None else ~before
    tensors["noised"] = call.run.copies.take(sample, torch.int32)
    tensors["active"] = call.run.copies.take(active, torch.bool)


def _sweeps_after(scheduler: Any, given: Mapping[str, Any], step: int) -> int:
    """Corrector sweeps that follow a predictor step: the pipeline folds them into the budget of forwards."""
    sweeps = int(getattr(scheduler.config, "corrector_steps", 0))
    corrected = (given["num_inference_steps"] - 1) // (1 + sweeps) if sweeps > 0 else 0
    return sweeps if step < corrected else 0


def _around_inputs(run: Run, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = original(*args, **kwargs)

    def take() -> None:
        ids, mask = result[0], result[1]
        run.prompt = (run.copies.take(ids, torch.int32), run.copies.take(mask, torch.bool))

    run.attempt(take)
    return result


def _around_encoder(
    call: _Call, stopping: Callable[[], PipelineStopping], original: Callable[..., Any], *args: Any, **kwargs: Any
) -> Any:
    """A canvas begins: the encoder reads the one before."""

    def take() -> None:
        if call.run.steps:
            _take_emitted(call.run, by_name(original, args, kwargs)["input_ids"][:, -call.canvas_length :])
        call.stopping, call.finished_before = stopping(), None

    call.run.attempt(take)
    return original(*args, **kwargs)


def _around_selection(run: Run, follower: DiscreteDDIM, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    positions = original(*args, **kwargs)
    run.attempt(lambda: follower.chosen(positions, by_name(original, args, kwargs)["cond_log_probs"]))
    return positions


def _take_emitted(run: Run, ids: torch.Tensor) -> None:
    """A canvas as it was appended, and the rows that had emitted the end of their sequence before it."""
    eos = run.facts.eos_token_ids
    ended = torch.zeros(ids.shape[0], dtype=torch.bool)
    run.copies.wait()
    for earlier, _ in run.emitted:
        for token in eos:
            ended |= (earlier == token).any(dim=-1)
    run.emitted.append((run.copies.take(ids, torch.int32), ended))


def _take_last(run: Run, canvas_length: int, result: Any) -> None:
    sequences = result[0] if isinstance(result, tuple) else result.sequences
    _take_emitted(run, sequences[:, -canvas_length:])


def _facts(pipeline: Any, given: Mapping[str, Any], task: Mapping[str, Any]) -> Any:
    model, scheduler = pipeline.model, pipeline.scheduler
    facts = facts_at_start(model, task)
    eos = given.get("eos_token_id")
    eos = pipeline.eos_token_id if eos is None else eos
    config = {name: value for name, value in dict(scheduler.config).items() if not name.startswith("_")}
    config.pop("num_inference_steps", None)  # the call's number of steps rules
    settings = {**facts.settings, **config, "library": "diffusers"}
    settings |= {name: given.get(name) for name in _CALL_SETTINGS}
    settings |= {ours: given.get(theirs) for theirs, ours in _RENAMED.items()}
    generator = given.get("generator")
    return replace(
        facts,
        sampler=type(scheduler).__name__,
        settings=settings,
        versions={**facts.versions, "diffusers": importlib.metadata.version("diffusers")},
        eos_token_ids=() if eos is None else (int(eos),),
        seed=facts.seed if generator is None else generator.initial_seed(),
    )


def _state(pipeline: Any, generator: Any) -> Any:
    if generator is None:
        return generator_state(torch.device(pipeline.model.device))
    return generator.get_state().numpy().copy()
