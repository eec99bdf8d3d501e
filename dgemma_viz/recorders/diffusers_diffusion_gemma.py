"""The recorder of diffusers' ``DiffusionGemmaPipeline`` (diffusers 0.42) with any of its three schedulers.

What is hooked, for the time of the block and, all but the first, while a call runs:

=================================  ===================================================================================
the call itself                    a run begins and ends: clock, seed, generator state, settings, exception, last canvas
``_prepare_inputs``                prompt and its mask
``model.model.encoder``            the canvas before, as it was appended to the context
``scheduler.step``                 noised canvas; afterwards what it sampled and decided
``scheduler.step_correct``         the same of a corrector sweep: a decoder pass, and so a step, of its own
``scheduler._select_positions``    which positions the sweep resamples
=================================  ===================================================================================

Every hook calls the original with its own arguments and returns its result untouched; see
:mod:`dgemma_viz.recorders.diffusion_gemma` for what that takes. Model and scheduler are looked up when a call begins,
so they may be exchanged between calls. Calls of one pipeline that run at the same time share the hooks and are kept
apart by thread; of calls within a call, the innermost is the one that runs.

Where things are: :mod:`~dgemma_viz.recorders.pipeline_call` takes what the hooks see,
:mod:`~dgemma_viz.recorders.scheduler_decisions` knows the schedulers,
:mod:`~dgemma_viz.recorders.pipeline_call` the pipeline's stop rule.

What differs from transformers' loop: the pipeline emits the CANVAS that it ends with, not the draft (a finished
sample's canvas is its draft); nothing after the end of a sequence is replaced by padding; without a temperature, the
candidate is the draft, and what is recorded is the softmax of the raw logits, at temperature 1.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.pipeline_call import PipelineCall, facts_of_call
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.recorders.run_facts import generator_state, vocabulary_size
from dgemma_viz.recorders.running_sampler import watched
from dgemma_viz.recorders.scheduler_decisions import FOLLOWERS, DiscreteDDIM, EntropyBound, followed_class
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream.diffusers import PREPARE_PROMPT, SELECT_POSITIONS, DiffusionGemmaPipeline
from dgemma_viz.upstream.torch_compile import called_through
from dgemma_viz.upstream.versions import clash_of


class DiffusionGemmaPipelineRecording(Recording):
    """Recording of a ``DiffusionGemmaPipeline``; see the module."""

    def __init__(self, pipeline: Any, tokenizer: Any, **options: Any) -> None:
        if type(pipeline).__call__ is DiffusionGemmaPipeline.__call__ and (clash := clash_of("DiffusionGemmaPipeline")):
            raise MissingDependencyError(f"cannot record this pipeline: {clash}")
        if tokenizer is None and hasattr(own := tokenizer_of(pipeline.processor), "convert_ids_to_tokens"):
            tokenizer = own  # else a stand-in that gives ids alone
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, vocabulary_size(pipeline.model), ())
        super().__init__(pipeline, tokenizer, **options)
        self._calls: dict[int, PipelineCall] = {}
        """Calls that are running, by the id of their run."""
        self._call_hooks = InstanceHooks()
        self._hooked: list[tuple[Any, str]] = []
        self._hooking = threading.Lock()

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the pipeline's call; everything else is hooked when one begins."""
        hooks.wrap_call(self._model, self._around_call)

    # -- a call --------------------------------------------------------------------------------------------------

    def _around_call(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        given = by_name(original, args, kwargs, defaults=True)
        facts = facts_of_call(self._model, given, self._task)
        run = Run(facts, generator_state(torch.device(self._model.model.device), given["generator"]))
        with self._running(run), self._following(run, given):
            result = original(*args, **kwargs)
            if call := self._call():
                run.attempt(lambda: call.take_emitted(result[0] if isinstance(result, tuple) else result.sequences))
            return result

    @contextmanager
    def _following(self, run: Run, given: Mapping[str, Any]) -> Iterator[None]:
        """Hooks on what the pipeline uses, put back when no call is running."""
        try:
            with self._hooking:
                run.attempt(lambda: self._follow(run, given))
            yield
        finally:
            with self._hooking:
                self._calls.pop(id(run), None)
                if not self._calls:
                    self._unhook()

    def _follow(self, run: Run, given: Mapping[str, Any]) -> None:
        pipeline, scheduler = self._model, self._model.scheduler
        known = followed_class(scheduler)
        if type(scheduler).step is not known.step:  # type: ignore[attr-defined]
            text = (
                f"{type(scheduler).__name__} decides in a step of its own. What it decided is recorded; temperature, "
                f"bound and probabilities are those that {known.__name__} would have used"
            )
            run.warn(Notice(NoticeCode.SCHEDULER_STEP_OVERRIDDEN, text))
        follower = FOLLOWERS[known.__name__](scheduler)
        length = pipeline.model.config.canvas_length
        watched_step = known.step if isinstance(follower, EntropyBound) else None  # type: ignore[attr-defined]
        self._calls[id(run)] = PipelineCall(run, given, scheduler, follower, length, self._top_k, watched_step)
        encoder = pipeline.model.model.encoder
        self._hook(pipeline, PREPARE_PROMPT, self._around_inputs)
        self._hook(encoder, called_through(encoder), self._around_encoder)
        self._hook(scheduler, "step", self._around_step)
        if isinstance(follower, DiscreteDDIM):
            self._hook(scheduler, SELECT_POSITIONS, self._around_selection)
            self._hook(scheduler, "step_correct", self._around_sweep)

    def _hook(self, target: Any, name: str, around: Callable[..., Any]) -> None:
        if not any(target is hooked and name == method for hooked, method in self._hooked):
            self._call_hooks.wrap(target, name, around)
            self._hooked.append((target, name))

    def _unhook(self) -> None:
        self._call_hooks.restore()
        self._hooked.clear()

    def _release(self) -> None:
        """At the end of the block, a call may still be running in another thread."""
        with self._hooking:
            self._calls.clear()
            self._unhook()
        super()._release()

    def _call(self) -> PipelineCall | None:
        """The call that a hook belongs to; None for one that is not followed."""
        run = self._current()
        return None if run is None else self._calls.get(id(run))

    # -- hooks inside a call -------------------------------------------------------------------------------------

    def _around_inputs(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if call := self._call():
            call.run.attempt(lambda: call.begin(result[0], result[1]))
        return result

    def _around_encoder(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if call := self._call():
            call.run.attempt(lambda: call.begin_canvas(kwargs["input_ids"]))
        return original(*args, **kwargs)

    def _around_step(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not (call := self._call()):
            return original(*args, **kwargs)
        run, given = call.run, by_name(original, args, kwargs)
        run.attempt(lambda: call.follower.before(given))
        run.attempt(lambda: call.begin_step(given["sample"]))
        with watched(original, call.watched_step) as numbers:
            output = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time
        run.attempt(lambda: call.complete_step(given, output, wall_time, numbers))
        self._announce(run)
        return output

    def _around_sweep(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        call = self._call()
        if not call or not isinstance(follower := call.follower, DiscreteDDIM):
            return original(*args, **kwargs)
        run, given = call.run, by_name(original, args, kwargs)
        run.attempt(lambda: call.begin_step(given["sample"]))
        output = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time
        run.attempt(lambda: call.complete_sweep(given, follower.after_sweep(given, output), wall_time))
        self._announce(run)
        return output

    def _around_selection(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        positions = original(*args, **kwargs)
        call = self._call()
        if call and isinstance(follower := call.follower, DiscreteDDIM):
            given = by_name(original, args, kwargs)
            call.run.attempt(lambda: follower.chosen(positions, given["cond_log_probs"]))
        return positions
