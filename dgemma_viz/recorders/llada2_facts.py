"""What is known about a run of ``LLaDA2Pipeline`` apart from its steps. Its model may be of any class."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch

from dgemma_viz.recorders.run_facts import model_id, versions
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.task import RunTask
from dgemma_viz.upstream import diffusers

_SAME_NAME = (
    "temperature",
    "top_p",
    "top_k",
    "sampling_method",
    "max_post_steps",
    "eos_early_stop",
)
_RENAMED = {"num_inference_steps": "max_denoising_steps", "gen_length": "max_new_tokens"}
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
    model, generator = pipeline.model, given["generator"]
    config = pipeline.scheduler.config
    settings = {name: given[name] for name in _SAME_NAME} | {"library": "diffusers"}
    settings |= {ours: given[theirs] for theirs, ours in _RENAMED.items()}
    settings |= {name: getattr(config, name) if given[name] is None else given[name] for name in _OWN_OR_CONFIG}
    settings["canvas_length"] = settings.pop("block_length")
    eos, mask = (
        getattr(pipeline, name) if given[name] is None else given[name] for name in ("eos_token_id", "mask_token_id")
    )
    return RunFacts(
        model_id=model_id(model) if hasattr(model, "config") else "",
        model_class=type(model).__name__,
        sampler=type(pipeline.scheduler).__name__,
        sampler_kind="mask-token",
        settings=settings,
        versions={**versions(), "diffusers": diffusers.__version__},
        eos_token_ids=() if eos is None else (int(eos),),
        pad_token_id=getattr(pipeline.tokenizer, "pad_token_id", None),
        mask_token_id=None if mask is None else int(mask),
        seed=torch.initial_seed() if generator is None else generator.initial_seed(),
        device=str(getattr(model, "device", "")),
        dtype=str(getattr(model, "dtype", "")).removeprefix("torch."),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        task=task,
    )
