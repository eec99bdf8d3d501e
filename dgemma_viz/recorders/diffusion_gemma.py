"""The recorder of ``DiffusionGemmaForBlockDiffusion.generate()`` (transformers 5.23).

What is hooked, for the time of the block, as attributes of the one model object:

========================================  ============================================================================
``generate``                              a run begins and ends: clock, seed, generator state, exception
``_prepare_generation_config``            the effective settings, after defaults and keyword arguments were merged
``_prepare_encoder_inputs``               prompt and its mask as the encoder reads them (first canvas only)
``_denoising_step``                       noised canvas, rows still active; afterwards draft and rows finished
``logits_processor`` (in each step)       argmax of the model's own logits, where processors may rule tokens out
``sampler.accept_canvas`` (in each step)  candidate, processed logits (reduced at once), accepted mask, bound
``_finalize_canvas``                      emitted tokens, after padding; rows whose sequence had ended before
========================================  ============================================================================

Why it is neutral. Each hook calls the original with its own arguments and returns its result untouched (processors are
called through a list that holds the same ones, :class:`~dgemma_viz.recorders.ruled_out.SeenBefore`). Nothing is
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

import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.recorders.run_facts import diffusion_gemma_facts, eos_ids, generator_state, vocabulary_size, with_config
from dgemma_viz.recorders.running_sampler import watched
from dgemma_viz.recorders.step_capture import StepCapture
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream.transformers import (
    DENOISING_STEP,
    FINALIZE_CANVAS,
    PREPARE_CONFIG,
    PREPARE_ENCODER,
    EntropyBoundSampler,
)


class DiffusionGemmaRecording(Recording):
    """Recording of a DiffusionGemma; see the module."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, vocabulary_size(model), eos_ids(model.generation_config))
        super().__init__(model, tokenizer, **options)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the model object; :class:`Recording` restores it."""
        hooks.wrap(self._model, "generate", self._around_generate)
        hooks.wrap(self._model, PREPARE_CONFIG, self._around_config)
        hooks.wrap(self._model, PREPARE_ENCODER, self._around_encoder_inputs)
        hooks.wrap(self._model, DENOISING_STEP, self._around_step)
        hooks.wrap(self._model, FINALIZE_CANVAS, self._around_finalize)

    def _around_generate(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = Run(diffusion_gemma_facts(self._model, self._task), generator_state(torch.device(self._model.device)))
        with self._running(run):
            return original(*args, **kwargs)

    # -- hooks inside a run --------------------------------------------------------------------------------------

    def _around_config(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if run := self._current():
            run.attempt(lambda: _take_config(run, *result))
        return result

    def _around_encoder_inputs(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = self._current()
        if run and run.prompt is None:
            run.attempt(lambda: _take_prompt(run, by_name(original, args, kwargs)))
        return original(*args, **kwargs)

    def _around_step(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run = self._current()
        if run is None or run.stopped_by:
            return original(*args, **kwargs)
        step = StepCapture(run, by_name(original, args, kwargs), self._top_k)

        def around_accept(accept: Callable[..., Any], *accept_args: Any, **accept_kwargs: Any) -> Any:
            with watched(accept, EntropyBoundSampler.accept_canvas) as numbers:
                accepted_canvas = accept(*accept_args, **accept_kwargs)
            run.attempt(
                lambda: step.accept(accept, by_name(accept, accept_args, accept_kwargs), accepted_canvas, numbers)
            )
            return accepted_canvas

        with InstanceHooks() as hooks:
            run.attempt(step.begin)
            run.attempt(lambda: hooks.wrap(step.inputs["sampler"], "accept_canvas", around_accept))
            if not args:  # as upstream calls it
                run.attempt(step.watch_processors)
            result = original(*args, **{**kwargs, **step.changed})
        wall_time = time.perf_counter() - run.start_time
        run.attempt(lambda: step.complete(result, wall_time))
        self._announce(run)
        return result

    def _around_finalize(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        if run := self._current():
            run.attempt(lambda: _take_emitted(run, by_name(original, args, kwargs), result[0]))
        return result


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
