"""The recorder of transformers' own ``generate()`` for causal models: one token a pass, or drafted and verified.

It puts autoregressive decoding beside diffusion, in the same words. What is hooked, for the time of the block:

=========================  ===========================================================================================
``generate``               a run begins and ends: clock, seed, generator state, exception, the tokens that were returned
``_get_logits_processor``  settings; one more processor behind the others, which changes nothing and sees what is
                           sampled from: the tokens so far and their processed logits
``forward``                that a pass ran, and at how many positions it may predict
=========================  ===========================================================================================

Assisted generation (``assistant_model=``, ``prompt_lookup_num_tokens=``; arXiv 2211.17192) reads drafted tokens and
keeps those that the model agrees with: read and kept is *accepted*, read and dropped is noise again. Passes of an
assistant model are counted in ``facts.settings["drafter_forwards"]``; they are no steps of this model. Beam search has
no such steps and is not recorded. How a pass becomes a step of a canvas: :mod:`dgemma_viz.recorders.causal_passes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import LogitsProcessor

from dgemma_viz.errors import RecordingError, SettingError
from dgemma_viz.recorders.assemble import assemble
from dgemma_viz.recorders.causal_passes import CausalRun, with_steps
from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.run_buffer import Run
from dgemma_viz.recorders.run_facts import adapters, eos_ids, facts_at_start, generator_state, model_id, vocabulary_size
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream.transformers import CAUSAL_PROCESSORS

_SETTINGS = ("do_sample", "temperature", "top_k", "top_p", "max_new_tokens", "prompt_lookup_num_tokens")


class _Tap(LogitsProcessor):  # type: ignore[misc]
    """Sees what is sampled from and returns it untouched."""

    def __init__(self, see: Callable[[torch.Tensor, torch.Tensor], None]) -> None:
        self._see = see

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        self._see(input_ids, scores)
        return scores

    def __deepcopy__(self, _memo: object) -> _Tap:
        """An assistant copies the processors; what it predicts is no prediction of this model."""
        return _Tap(lambda _ids, _scores: None)


class CausalRecording(Recording):
    """Recording of a causal model's ``generate()``; see the module."""

    def __init__(self, model: Any, tokenizer: Any, **options: Any) -> None:
        if getattr(model.config, "is_encoder_decoder", False):
            raise RecordingError(
                f"cannot record {type(model).__name__}: of the models with transformers' own generate(), recording "
                "knows those that write with the half that reads the prompt. Where a loop of your own denoises with "
                "it, say dv.record(..., mask_token_id=...)"
            )
        if options.get("on_step") is not None:
            raise SettingError(
                "on_step is for denoising: left-to-right decoding has no canvas until it ends. Leave it out and read "
                "recording.trace after the call"
            )
        tokenizer = tokenizer_of(tokenizer)
        if tokenizer is not None:
            check_tokenizer(tokenizer, vocabulary_size(model), ())
        super().__init__(model, tokenizer, **options)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the model's loop."""
        hooks.wrap(self._model, "generate", self._around_generate)
        hooks.wrap(self._model, CAUSAL_PROCESSORS, self._around_processors)
        hooks.wrap(self._model, "forward", self._around_forward)

    # -- beside the recorder of loops that denoise ----------------------------------------------------------------

    def share(self, runs: list[Run]) -> None:
        """Keep runs in a list that others keep theirs in."""
        self._runs = runs

    @property
    def is_decoding(self) -> bool:
        """Whether a call has come to transformers' loop and is going on."""
        run = self._current()
        return isinstance(run, CausalRun) and run.predicting

    def has_steps(self, run: CausalRun) -> bool:
        """Whether a call came to transformers' loop."""
        return self._has_steps(run)

    def trace_of(self, run: CausalRun) -> Trace:
        """The trace of such a call."""
        return self._trace_of(run)

    def why_nothing(self) -> str:
        """Why there is no such call."""
        if not self._runs:
            return (
                "call the model's generate() inside the 'with' block, then read recording.trace. A loop of your own is "
                "watched if it denoises: say dv.record(..., mask_token_id=...)"
            )
        return f"the call did not finish a single denoising step: {self._why_no_steps(self._runs[-1])}"

    # -- hooks ---------------------------------------------------------------------------------------------------

    def _around_generate(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        model, given = self._model, by_name(original, args, kwargs)
        state = generator_state(torch.device(model.device))
        facts = facts_at_start(
            model,
            self._task,
            sampler="autoregressive",
            sampler_kind="autoregressive",
            vocab_size=vocabulary_size(model),
            settings=adapters(model),
        )
        run = CausalRun(facts, state, top_k=self._top_k)
        with self._running(run), InstanceHooks() as hooks:
            run.attempt(lambda: _take_drafter(run, given.get("assistant_model"), hooks))
            result = original(*args, **kwargs)
            run.attempt(lambda: _take_output(run, given, result))
            return result

    def _around_processors(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        processors = original(*args, **kwargs)
        run = self._current()
        if isinstance(run, CausalRun):
            config = by_name(original, args, kwargs)["generation_config"]
            run.attempt(lambda: _take_config(run, config, processors))
            processors.append(_Tap(partial(_see, run)))
        return processors

    def _around_forward(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        run = self._current()
        if isinstance(run, CausalRun):
            run.attempt(lambda: run.begin_pass(int(output.logits.shape[1])))
        return output

    def _has_steps(self, run: Run) -> bool:
        return bool(run.passes) if isinstance(run, CausalRun) else super()._has_steps(run)

    def _why_no_steps(self, run: Run) -> str:
        if run.facts.error or run.stopped_by:
            return super()._why_no_steps(run)
        return (
            f"this call of {type(self._model).__name__} did not go through transformers' own loop. If it went through "
            "one that denoises, say which token stands for noise: dv.record(..., mask_token_id=...)"
        )

    def _trace_of(self, run: Run) -> Trace:
        if run.trace is None and isinstance(run, CausalRun):
            trace = assemble(with_steps(run), self._texts)
            run.trace = replace(trace, mean_entropy=_mean_of_known(trace.entropy))
        return super()._trace_of(run)


def _see(run: CausalRun, context: torch.Tensor, scores: torch.Tensor) -> None:
    run.attempt(lambda: run.predicts(context, scores))


def _mean_of_known(entropy: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Mean over what is written or predicted, nats ``(S, B)``: of the rest there is no distribution."""
    known = np.isfinite(entropy)
    total = np.where(known, entropy, 0.0).sum(axis=-1, dtype=np.float64)
    return np.asarray(total / np.maximum(known.sum(axis=-1), 1), dtype=np.float32)


def _take_drafter(run: CausalRun, drafter: Any, hooks: InstanceHooks) -> None:
    """Count the passes of an assistant model."""
    if drafter is None:
        return
    run.facts = replace(run.facts, settings={**run.facts.settings, "drafter": model_id(drafter) or "a drafter"})

    def around(original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run.drafter_forwards += 1
        return original(*args, **kwargs)

    hooks.wrap(drafter, "forward", around)


def _take_config(run: CausalRun, config: Any, processors: Any) -> None:
    """Facts from the config as ``generate()`` prepared it."""
    if (getattr(config, "num_beams", None) or 1) > 1:
        raise RecordingError("beam search keeps several outputs at once, which a trace cannot hold")
    settings = {name: getattr(config, name, None) for name in _SETTINGS}
    settings["logits_processors"] = [type(processor).__name__ for processor in processors]
    ends, pad = eos_ids(config), getattr(config, "pad_token_id", None)
    drafts = "drafter" in run.facts.settings or settings["prompt_lookup_num_tokens"]
    run.facts = replace(
        run.facts,
        sampler="speculative" if drafts else "autoregressive",
        settings={**run.facts.settings, **settings},
        eos_token_ids=ends,
        pad_token_id=pad,
        mask_token_id=pad if pad is not None else ends[0] if ends else 0,
    )


def _take_output(run: CausalRun, given: Mapping[str, Any], result: Any) -> None:
    """What was returned; and which tokens of the prompt were padding."""
    sequences = result if isinstance(result, torch.Tensor) else result.sequences
    run.ends_with(sequences)
    mask = given.get("attention_mask")
    if run.prompt is not None and mask is not None and mask.shape == run.prompt[0].shape:
        run.prompt = (run.prompt[0], run.copies.take(mask, torch.bool))
