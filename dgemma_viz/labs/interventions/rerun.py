"""Run what a trace recorded again: the library's own loop, from the recorded prompt, parameters and generator state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions.hooks import model_of
from dgemma_viz.labs.interventions.plan import Plan
from dgemma_viz.labs.interventions.repeatable import sampler_of
from dgemma_viz.labs.prompts import task_facts
from dgemma_viz.labs.run import Hooks, record_prepared
from dgemma_viz.labs.samplers import Prepared
from dgemma_viz.labs.samplers.diffusers_schedulers import GivenIds
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace import Trace
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.interventions import Intervention, recorded_interventions
from dgemma_viz.trace.notice import NoticeCode
from dgemma_viz.trace.task import RunTask
from dgemma_viz.trace.tokenizer import tokenizer_of

_OF_GENERATE = (
    "max_denoising_steps",
    "t_min",
    "t_max",
    "stability_threshold",
    "confidence_threshold",
    "max_new_tokens",
    "max_length",
    "cache_implementation",
    "disable_compile",
)
"""Settings that the recorder of ``generate()`` takes from the effective config, by upstream's names."""

_OF_PIPELINE = ("temperature", "stability_threshold", "confidence_threshold", "cache_implementation", "eos_early_stop")
"""Settings that the recorder of the pipeline takes from its call, by upstream's names."""


def rerun(
    model: Any,
    tokenizer: Any,
    trace: Trace,
    *,
    hooks: Hooks | None = None,
    on_step: Callable[[StepRecord], None] | None = None,
    task: Mapping[str, Any] | None = None,
) -> Trace:
    """Trace of the repeated run.

    Parameters
    ----------
    model, tokenizer
        Those that were recorded; a pipeline stands for its model.
    trace
        Of ``generate()`` or of diffusers' pipeline, called by anyone, and
        :func:`~dgemma_viz.labs.interventions.repeatable.check_repeatable` by now.
    hooks, on_step
        As for :func:`~dgemma_viz.labs.run.run`.
    task
        More facts for the new trace, whose task is otherwise that of the old one.

    Raises
    ------
    SettingError
        A pipeline is needed, and there is no tokenizer.
    RunFailedError
        The loop failed after at least one step; the error holds the trace so far.
    """
    return record_prepared(
        _prepared(model_of(model), tokenizer, trace),
        tokenizer,
        lambda again: _with_task_of(trace, again, task),
        seed=trace.facts.seed or 0,
        generator_state=trace.generator_state,
        top_k=max(1, trace.top_k),
        on_step=on_step,
        hooks=hooks,
    )


def _prepared(model: Any, tokenizer: Any, trace: Trace) -> Prepared:
    import torch

    inputs = {
        "input_ids": torch.tensor(trace.prompt, dtype=torch.long, device=model.device),
        "attention_mask": torch.tensor(trace.prompt_mask, dtype=torch.long, device=model.device),
    }
    if sampler_of(trace).library == "diffusers":
        return _prepared_pipeline(model, tokenizer, trace, inputs)
    return Prepared(model, lambda: model.generate(**inputs, **_generate_arguments(trace)))


def _prepared_pipeline(model: Any, tokenizer: Any, trace: Trace, inputs: Mapping[str, Any]) -> Prepared:
    """The recorded scheduler with its recorded config, in a pipeline that reads the recorded prompt."""
    sampler_of(trace).need_library()
    from dgemma_viz.upstream import diffusers

    if tokenizer is None:
        raise SettingError("a pipeline cannot run without its tokenizer: pass it, or the pipeline's processor")
    settings, ends = trace.facts.settings, trace.facts.eos_token_ids
    kind = getattr(diffusers, trace.facts.sampler)
    known = inspect.signature(kind.__init__).parameters
    scheduler = kind(**{name: settings[name] for name in known if name in settings})
    pipeline = diffusers.DiffusionGemmaPipeline(
        model=model, scheduler=scheduler, processor=GivenIds(tokenizer_of(tokenizer), inputs)
    )
    pipeline.set_progress_bar_config(disable=True)
    call = {name: settings[name] for name in _OF_PIPELINE if name in settings}
    renamed = {"gen_length": settings["max_new_tokens"], "num_inference_steps": settings["max_denoising_steps"]}
    call |= renamed | {"eos_token_id": ends[0] if ends else None, "output_type": "seq"}
    return Prepared(pipeline, lambda: pipeline(prompt="", **call))


def _generate_arguments(trace: Trace) -> dict[str, Any]:
    """The effective config of the recorded call, so that it does not matter what the model's own config says today."""
    from dgemma_viz.upstream.transformers import EntropyBoundSamplerConfig

    settings = trace.facts.settings
    arguments = {name: settings[name] for name in _OF_GENERATE if name in settings}
    if settings.get("entropy_bound") is not None:
        arguments["sampler_config"] = EntropyBoundSamplerConfig(entropy_bound=float(settings["entropy_bound"]))
    ends = list(trace.facts.eos_token_ids)
    return arguments | {"eos_token_id": ends or None, "pad_token_id": trace.facts.pad_token_id}


def _with_task_of(trace: Trace, again: Trace, task: Mapping[str, Any] | None) -> Trace:
    """The old run's task facts; of several right answers the one nearest to the new output."""
    known = trace.facts.task
    if known.prompt is not None and known.reference is not None:
        nearest = task_facts([known.prompt], again.output_text()).get("reference", known.reference)
        known = replace(known, reference=nearest)
    known = RunTask.of({**known.to_json(), **(task or {})})
    again = replace(again, facts=replace(again.facts, task=known))
    return without_expected_warnings(again, recorded_interventions(again))


def without_expected_warnings(trace: Trace, interventions: Sequence[Intervention]) -> Trace:
    """The trace without the warning about missing tokens, if the interventions account for all of them.

    The recorder warns when an accepted candidate does not stand in the next step's canvas: the decisions that it
    recorded then do not explain what ran. Replaced and pinned tokens, and noise that was added, explain it.
    """
    kept = tuple(notice for notice in trace.facts.notices if notice.code != NoticeCode.ACCEPTED_MISSING)
    if len(kept) == len(trace.facts.notices):
        return trace
    plan = Plan(tuple(interventions), trace.facts.vocab_size)
    for step in np.flatnonzero(trace.canvas[1:] == trace.canvas[:-1]):
        after = step + 1
        put = (trace.decision[step] == Decision.ACCEPTED) & trace.active[after, :, None]
        lost = put & (trace.noised[after] != trace.candidate[step])
        effects = plan.effects(int(trace.canvas[after]), int(trace.step_in_canvas[after]))
        if (lost & ~effects.written(*lost.shape)).any():
            return trace
    return replace(trace, facts=replace(trace.facts, notices=kept))
