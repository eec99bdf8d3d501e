"""The recorder of diffusers' ``LLaDA2Pipeline`` (diffusers 0.42): mask-token diffusion, block by block.

What is hooked, for the time of the block and, within it, of a call:

=========================================  ===========================================================================
the call itself                            a run begins and ends: clock, seed, generator state, settings, exception,
                                           the tokens that were returned
``_prepare_input_ids``                     prompt and its mask
``scheduler.step``                         what the step read; afterwards what it sampled and decided
``scheduler.check_block_should_continue``  which rows have emitted the end of their sequence, and whether the block is
                                           done: the end of a step
=========================================  ===========================================================================

Every hook calls the original with its own arguments and returns its result untouched; see
:mod:`dgemma_viz.recorders.diffusion_gemma` for what that takes.

Layout. A canvas is a block. The pipeline counts blocks from the first token of the PROMPT, so the first canvas usually
begins inside the prompt: its leading positions hold the prompt's last tokens, whose decision is *kept* in every step.
And the last block may reach beyond the tokens that were asked for. ``trace.prompt`` is the whole prompt and
``trace.emitted`` whole blocks, as they stand; ``trace.facts.output_span`` says which part of them is the output, and
``trace.output_ids()`` gives just that.

The mask token stands for noise: the noise ratio is the share of masked positions. The pipeline looks for masks BEFORE a
decoder pass, so that a block whose last masks fall before the step limit gets one pass more, even with editing switched
off: its phase is *edit*. Rows frozen by the end of their sequence are inactive, and their masks stay; for as long as
there are any, the pipeline takes the block for unfinished and goes on with the other rows up to the step limit.

Where nothing is sampled (temperature 0, or greedy), the softmax of the raw logits is recorded, at temperature 1. A
callback that changes a block is seen in what the next step reads, and in the output.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from dgemma_viz.recorders.hooks import InstanceHooks, by_name
from dgemma_viz.recorders.llada2_call import MaskedStep, facts_of_call, masked_step
from dgemma_viz.recorders.recording import Recording
from dgemma_viz.recorders.reduce import DTYPES, reduce_logits
from dgemma_viz.recorders.run_buffer import Run, Step
from dgemma_viz.recorders.run_facts import generator_state
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.tokenizer import check_tokenizer, tokenizer_of
from dgemma_viz.upstream.diffusers import PREPARE_IDS, execution_device


@dataclass
class _Call:
    """What one call of the pipeline needs to be followed."""

    run: Run
    scheduler: Any
    new_tokens: int
    block_length: int
    lead: int = 0
    """Positions of the first block that hold the end of the prompt."""
    finished: torch.Tensor | None = None
    """Rows that have emitted the end of their sequence, ``(B,)``; None before the first step."""
    step: MaskedStep | None = None
    """The last step."""


class LLaDA2PipelineRecording(Recording):
    """Recording of a ``LLaDA2Pipeline``; see the module."""

    def __init__(self, pipeline: Any, tokenizer: Any, **options: Any) -> None:
        tokenizer = tokenizer_of(pipeline.tokenizer if tokenizer is None else tokenizer)
        vocabulary = getattr(getattr(pipeline.model, "config", None), "vocab_size", None)
        if tokenizer is not None and vocabulary:
            check_tokenizer(tokenizer, vocabulary, ())
        super().__init__(pipeline, tokenizer, **options)

    def install(self, hooks: InstanceHooks) -> None:
        """Hook the pipeline's call; everything else is hooked when one begins."""
        hooks.wrap_call(self._model, self._around_call)

    # -- a call --------------------------------------------------------------------------------------------------

    def _around_call(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        pipeline = self._model
        given = by_name(original, args, kwargs, defaults=True)
        facts = facts_of_call(pipeline, given, self._task)
        run = Run(facts, generator_state(execution_device(pipeline), given["generator"]))
        call = _Call(run, pipeline.scheduler, given["gen_length"], facts.settings["canvas_length"])
        with self._running(run), InstanceHooks() as hooks:
            run.attempt(lambda: self._follow(hooks, call))
            result = original(*args, **kwargs)
            run.attempt(lambda: _take_output(call, result))
            return result

    def _follow(self, hooks: InstanceHooks, call: _Call) -> None:
        hooks.wrap(self._model, PREPARE_IDS, partial(_around_inputs, call))
        hooks.wrap(call.scheduler, "step", partial(self._around_step, call))
        hooks.wrap(call.scheduler, "check_block_should_continue", partial(self._around_end_of_step, call))

    # -- a step --------------------------------------------------------------------------------------------------

    def _around_step(self, call: _Call, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        run, given = call.run, by_name(original, args, kwargs)
        tensors: dict[str, torch.Tensor] = {}
        run.attempt(lambda: _take_begin(call, given, tensors))
        output = original(*args, **kwargs)
        wall_time = time.perf_counter() - run.start_time
        run.attempt(lambda: self._take_decided(call, given, output, tensors, wall_time))
        return output

    def _take_decided(
        self, call: _Call, given: Mapping[str, Any], output: Any, tensors: dict[str, torch.Tensor], wall_time: float
    ) -> None:
        assert call.finished is not None  # noqa: S101 - the step has begun
        run, take = call.run, call.run.copies.take
        if not run.steps:
            run.facts = replace(run.facts, vocab_size=int(given["model_output"].shape[-1]))
        call.step = step = masked_step(call.scheduler, given, output, call.finished)
        reduced = reduce_logits(step.logits, output.sampled_tokens, self._top_k)
        tensors["candidate"] = take(output.sampled_tokens, torch.int32)
        tensors["decision"] = take(step.decision, torch.uint8)
        tensors["draft"] = take(reduced["draft"], torch.int32)
        tensors["finished"] = take(call.finished, torch.bool)
        tensors |= {name: take(reduced[name], dtype) for name, dtype in DTYPES.items()}
        phase = Phase.DENOISE if step.had_masks else Phase.EDIT
        canvas, place = run.next_place
        run.steps.append(Step(canvas, place, tensors, step.temperature, float("nan"), wall_time, int(phase)))

    def _around_end_of_step(self, call: _Call, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        goes_on = original(*args, **kwargs)
        finished = by_name(original, args, kwargs)["finished"]
        call.run.attempt(lambda: _take_end_of_step(call, finished, goes_on=bool(goes_on)))
        self._announce(call.run)
        return goes_on


def _around_inputs(call: _Call, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    result = original(*args, **kwargs)

    def take() -> None:
        ids, mask = (tensor.reshape(-1, tensor.shape[-1]) for tensor in result)
        call.run.prompt = (call.run.copies.take(ids, torch.int32), call.run.copies.take(mask, torch.bool))
        call.lead = ids.shape[1] % call.block_length
        call.run.facts = replace(call.run.facts, output_span=(call.lead, call.lead + call.new_tokens))

    call.run.attempt(take)
    return result


def _take_begin(call: _Call, given: Mapping[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    sample = given["sample"]
    if call.finished is None:
        call.finished = torch.zeros(len(sample), dtype=torch.bool, device=sample.device)
    tensors["noised"] = call.run.copies.take(sample, torch.int32)
    tensors["active"] = call.run.copies.take(~call.finished, torch.bool)


def _take_end_of_step(call: _Call, finished: torch.Tensor, *, goes_on: bool) -> None:
    """A row's block is finished by the end of its sequence, or, where the block ends, if nothing was left to do."""
    assert call.step is not None  # noqa: S101 - a step ran
    call.finished = finished.clone()  # changed in place later
    done = call.finished if goes_on else call.finished | call.step.settled
    call.run.steps[-1].tensors["finished"] = call.run.copies.take(done, torch.bool)
    if not goes_on:
        _take_emitted(call, call.step.after)


def _take_emitted(call: _Call, ids: torch.Tensor) -> None:
    """A block, and the rows whose sequence had ended before it."""
    run = call.run
    run.copies.wait()
    before = torch.cat([ids[:, :0].to("cpu", torch.int32), *(earlier for earlier, _ in run.emitted)], dim=1)
    ended = torch.isin(before[:, call.lead :], torch.tensor(run.facts.eos_token_ids, dtype=torch.int32)).any(dim=-1)
    run.emitted.append((run.copies.take(ids, torch.int32), ended))


def _take_output(call: _Call, result: Any) -> None:
    """What the pipeline returned, which a callback may have changed, over what the steps left."""
    run = call.run
    sequences = result[0] if isinstance(result, tuple) else result.sequences
    run.copies.wait()
    blocks = [ids for ids, _ in run.emitted]
    whole = torch.cat(blocks, dim=1)
    end = min(call.lead + call.new_tokens, whole.shape[1])
    whole[:, call.lead : end] = sequences[:, : end - call.lead].to("cpu", torch.int32)
    run.emitted.clear()
    for ids in whole.split(call.block_length, dim=1):
        _take_emitted(call, ids)
