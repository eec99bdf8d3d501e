"""The recorder of ``DiffusionGemmaForBlockDiffusion.generate()`` (transformers 5.23).

What is hooked, for the time of the block, as attributes of the one model object:

========================================  ============================================================================
``generate``                              a run begins and ends: clock, seed, generator state, exception
``_prepare_generation_config``            the effective settings, after defaults and keyword arguments were merged
``_prepare_encoder_inputs``               prompt and its mask as the encoder reads them (first canvas only)
``_denoising_step``                       noised canvas, rows still active; afterwards draft and rows finished
``sampler.accept_canvas`` (in each step)  candidate, processed logits (reduced at once), accepted mask, bound
``_finalize_canvas``                      emitted tokens, after padding; rows whose sequence had ended before
========================================  ============================================================================

Why it is neutral. Each hook calls the original with its own arguments and returns its result untouched. Nothing is
drawn from a random generator, no tensor of upstream's is changed or kept (small copies are, so freed memory and CUDA
graphs behave as before), and ``forward`` and the class stay unpatched, so no compiled code is invalidated. A failure of
the recorder ends the recording, not the generation. On CUDA nothing waits for the device, unless ``on_step`` is given.

Why ``accept_canvas``. It is the one place where candidate and processed logits meet, whatever the logits processors,
and its owner tells which sampler really runs (:mod:`dgemma_viz.recorders.running_sampler`). The hook is set on the
sampler only while a step runs: after ``_compile_functions``, which therefore compiles upstream's method and not ours.

Times are the host's clock when a step's call returned: they include the recorder's own work and earlier ``on_step``
calls, and on CUDA may precede the end of the device's work. Rows that have finished still go through upstream's step;
their recorded values are whatever ran (``active`` is false), their draft is the one that upstream froze.

Threads. Runs are kept per thread and nested runs on a stack, so concurrent ``generate()`` calls inside one block give
separate traces. (Upstream itself shares a static cache and compiled samplers between threads; that is not cured here.)
"""

from __future__ import annotations

import inspect
import threading
import time
from typing import TYPE_CHECKING, Any

import torch

from dgemma_viz.recorders.assemble import assemble, step_record
from dgemma_viz.recorders.hooks import InstanceHooks
from dgemma_viz.recorders.notices import warn_user
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.recorders.run_facts import eos_ids, facts_at_start, generator_state, vocabulary_size, with_config
from dgemma_viz.recorders.step_capture import StepCapture
from dgemma_viz.recorders.token_texts import TokenTexts
from dgemma_viz.recorders.tokenizer_match import check_tokenizer, tokenizer_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dgemma_viz.trace.model import Trace


class DiffusionGemmaRecording(Recording):
    """Recording of a DiffusionGemma; see the module."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, vocabulary_size(model), eos_ids(model.generation_config))
        super().__init__(model, tokenizer, **options)
        self._texts = TokenTexts(tokenizer)
        self._of_thread = threading.local()

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the model object; :class:`Recording` restores it."""
        hooks.wrap(self._model, "generate", self._around_generate)
        hooks.wrap(self._model, "_prepare_generation_config", self._around_config)
        hooks.wrap(self._model, "_prepare_encoder_inputs", self._around_encoder_inputs)
        hooks.wrap(self._model, "_denoising_step", self._around_step)
        hooks.wrap(self._model, "_finalize_canvas", self._around_finalize)

    def build_trace(self, run: Run) -> Trace:
        """Trace of an ended run."""
        return assemble(run, self._texts)

    # -- runs ----------------------------------------------------------------------------------------------------

    def _stack(self) -> list[Run]:
        """Runs of the current thread, innermost last."""
        if not hasattr(self._of_thread, "runs"):
            self._of_thread.runs = []
        runs: list[Run] = self._of_thread.runs
        return runs

    def _current(self) -> Run | None:
        """The run that a hook belongs to; None for a call that began outside the block, which is left alone."""
        runs = self._stack()
        return runs[-1] if runs and not runs[-1].ended else None

    def _around_generate(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = Run(facts_at_start(self._model, self._task), generator_state(torch.device(self._model.device)))
        self._runs.append(run)
        self._stack().append(run)
        try:
            result = original(*args, **kwargs)
        except BaseException as error:
            run.end("failed" if isinstance(error, Exception) else "interrupted", _text_of(error))
            raise
        else:
            run.end("complete")
            return result
        finally:
            self._stack().remove(run)

    # -- hooks inside a run --------------------------------------------------------------------------------------

    def _around_config(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if run := self._current():
            run.attempt(lambda: _take_config(run, *result))
        return result

    def _around_encoder_inputs(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = self._current()
        if run and run.prompt is None:
            run.attempt(lambda: _take_prompt(run, _by_name(original, args, kwargs)))
        return original(*args, **kwargs)

    def _around_step(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = self._current()
        if run is None or run.stopped_by:
            return original(*args, **kwargs)
        step = StepCapture(run, _by_name(original, args, kwargs), self._top_k)

        def around_accept(accept: Callable[..., Any], *accept_args: Any, **accept_kwargs: Any) -> Any:
            accepted_canvas = accept(*accept_args, **accept_kwargs)
            run.attempt(lambda: step.accept(accept, _by_name(accept, accept_args, accept_kwargs), accepted_canvas))
            return accepted_canvas

        with InstanceHooks() as hooks:
            run.attempt(step.begin)
            run.attempt(lambda: hooks.wrap(step.inputs["sampler"], "accept_canvas", around_accept))
            result = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time
        run.attempt(lambda: step.complete(result, wall_time))
        self._announce(run)
        return result

    def _around_finalize(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if run := self._current():
            run.attempt(lambda: _take_emitted(run, _by_name(original, args, kwargs), result[0]))
        return result

    def _announce(self, run: Run) -> None:
        """Hand the last step to ``on_step``."""
        if self._on_step is None or run.stopped_by:
            return
        try:
            self._on_step(step_record(run, self._texts))
        except Exception as error:  # noqa: BLE001 - the user's callback must not end the user's generation
            self._on_step = None
            warn_user(f"on_step failed with {_text_of(error)}; it is not called again. The generation goes on.")


def _text_of(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _by_name(method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments of a call by parameter name."""
    if not args:
        return kwargs
    names = inspect.signature(method).parameters
    return dict(zip(names, args, strict=False)) | dict(kwargs)


def _take_config(run: Run, config: Any, inputs: Mapping[str, Any]) -> None:
    run.facts = with_config(run.facts, config, inputs)


def _take_prompt(run: Run, inputs: Mapping[str, Any]) -> None:
    """Prompt and mask; with a given cache the mask also covers what is cached, which is not part of ``input_ids``."""
    prompt, mask = inputs["input_ids"], inputs["attention_mask"]
    mask = mask[:, mask.shape[1] - prompt.shape[1] :]
    run.prompt = (run.copies.take(prompt, torch.int32), run.copies.take(mask, torch.bool))


def _take_emitted(run: Run, inputs: Mapping[str, Any], sequences: torch.Tensor) -> None:
    """The canvas as it went into the output, and the rows that had ended before it."""
    ids = run.copies.take(sequences[:, -inputs["canvas_length"] :], torch.int32)
    run.emitted.append((ids, run.copies.take(inputs["finished_sequences"], torch.bool)))
