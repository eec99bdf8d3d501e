"""What is known about a call of ``DiffusionGemmaPipeline`` apart from its steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dgemma_viz.recorders.registry import unwrapped
from dgemma_viz.recorders.run_facts import facts_at_start
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.sampler_kinds import KIND_OF_NAME
from dgemma_viz.trace.task import RunTask
from dgemma_viz.upstream import diffusers

_SAME_NAME = ("stability_threshold", "confidence_threshold", "cache_implementation", "eos_early_stop")
_RENAMED = {"num_inference_steps": "max_denoising_steps", "gen_length": "max_new_tokens"}
_RULED_BY_PIPELINE = {"num_inference_steps", "block_length"}
"""Of the scheduler's config: the number of steps is the call's, and a block is the model's canvas."""


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
    model, scheduler, generator = pipeline.model, pipeline.scheduler, given["generator"]
    facts = facts_at_start(unwrapped(model), task)
    settings = {**facts.settings, **_config(scheduler), "library": "diffusers"}
    settings |= {name: given[name] for name in _SAME_NAME}
    settings |= {ours: given[theirs] for theirs, ours in _RENAMED.items()}
    if not hasattr(scheduler.config, "t_max"):  # EntropyBoundScheduler has a schedule, and ignores the call's
        settings["temperature"] = given["temperature"]
    eos = pipeline.eos_token_id if given["eos_token_id"] is None else given["eos_token_id"]
    return replace(
        facts,
        sampler=type(scheduler).__name__,
        sampler_kind=KIND_OF_NAME.get(type(scheduler).__name__, ""),
        settings=settings,
        versions={**facts.versions, "diffusers": diffusers.__version__},
        eos_token_ids=() if eos is None else (int(eos),),
        seed=facts.seed if generator is None else generator.initial_seed(),
    )


def _config(scheduler: Any) -> dict[str, Any]:
    """The scheduler's own settings; one of a user may hold what does not go into a trace."""
    return {
        name: value
        for name, value in dict(scheduler.config).items()
        if not name.startswith("_") and name not in _RULED_BY_PIPELINE and isinstance(value, str | float | int | None)
    }
