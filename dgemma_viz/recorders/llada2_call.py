"""One call of ``LLaDA2Pipeline`` (diffusers 0.42): its settings, and what was decided in a step.

The output of ``BlockRefinementScheduler`` says what it would transfer and edit; ``LLaDA2Pipeline`` then leaves rows
alone that have emitted the end of their sequence. Both together are what became of a position. A sampler may also draw
the mask token itself: whatever the scheduler calls that, the position is masked afterwards, and so noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dgemma_viz.recorders.run_facts import facts_at_start, with_pipeline_call
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.task import RunTask
from dgemma_viz.upstream.diffusers import filtered

_ASKED = (
    "temperature",
    "top_p",
    "top_k",
    "sampling_method",
    "max_post_steps",
    "eos_early_stop",
)
_OWN_OR_CONFIG = ("threshold", "editing_threshold", "minimal_topk", "block_length")
"""Where the call says None, the scheduler's config rules."""


def facts_of_call(pipeline: Any, given: Mapping[str, Any], task: RunTask) -> RunFacts:
    """Facts of one call.

    Parameters
    ----------
    pipeline
        The pipeline that was called.
    given
        Arguments of the call by name, defaults included.
    task
        The caller's own facts.
    """
    config = pipeline.scheduler.config
    own = {name: getattr(config, name) if given[name] is None else given[name] for name in _OWN_OR_CONFIG}
    own["canvas_length"] = own.pop("block_length")
    mask = pipeline.mask_token_id if given["mask_token_id"] is None else given["mask_token_id"]
    facts = facts_at_start(
        pipeline.model,
        task,
        given["generator"],
        sampler_kind="mask-token",
        pad_token_id=getattr(pipeline.tokenizer, "pad_token_id", None),
        mask_token_id=None if mask is None else int(mask),
    )
    return with_pipeline_call(facts, pipeline, given, _ASKED, own)


@dataclass(frozen=True)
class MaskedStep:
    """One step of a block.

    Attributes
    ----------
    logits
        Logits ``(B, C, V)`` in float32 whose softmax was sampled from.
    temperature
        What the model's logits were divided by; 1 where the most probable token was taken without sampling.
    decision
        Codes of :class:`~dgemma_viz.trace.decision.Decision`, ``(B, C)``. Prompt tokens in the block are kept.
    after
        The block after the step, ``(B, C)``.
    had_masks
        Whether any row had a mask when the step began; without one, the step could only edit.
    settled
        Rows that have no mask after the step, and that it did not edit, ``(B,)``.
    """

    logits: torch.Tensor
    temperature: float
    decision: torch.Tensor
    after: torch.Tensor
    had_masks: bool
    settled: torch.Tensor


def masked_step(scheduler: Any, given: Mapping[str, Any], output: Any, frozen: torch.Tensor) -> MaskedStep:
    """Read a step.

    Parameters
    ----------
    scheduler
        The ``BlockRefinementScheduler``.
    given
        Arguments of its ``step`` by name. ``sample`` must still be what the step read.
    output
        What it returned.
    frozen
        Rows that the pipeline leaves alone, ``(B,)``.
    """
    before, mask = given["sample"], given["mask_token_id"]
    free = ~frozen[:, None]
    unmasked, edited = output.transfer_index & free, output.editing_transfer_index & free
    after = torch.where(unmasked | edited, output.prev_sample, before)
    decision = torch.where(unmasked, int(Decision.ACCEPTED), int(Decision.KEPT))
    decision = torch.where(edited, int(Decision.EDITED), decision)
    decision = torch.where(after == mask, int(Decision.NOISE), decision)
    logits, temperature = _sampled_from(scheduler, given)
    return MaskedStep(
        logits,
        temperature,
        decision.to(torch.uint8),
        after,
        bool((before == mask).any()),
        ~((after == mask) | edited).any(dim=-1),
    )


def _sampled_from(scheduler: Any, given: Mapping[str, Any]) -> tuple[torch.Tensor, float]:
    """The distribution of ``BlockRefinementScheduler._sample_from_logits``, operation by operation."""
    logits: torch.Tensor = given["model_output"]
    temperature, method = float(given["temperature"]), given["sampling_method"]
    if temperature == 0.0 or method == "greedy":
        return logits.float(), 1.0
    if temperature != 1.0:
        logits = logits / temperature
    return filtered(scheduler, logits, top_k=given["top_k"], top_p=given["top_p"]).float(), temperature
