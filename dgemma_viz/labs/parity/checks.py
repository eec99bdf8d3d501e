"""Whether a trace and a model go together, before anything runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.interventions.hooks import model_of
from dgemma_viz.labs.interventions.repeatable import check_call, check_sizes
from dgemma_viz.recorders.run_facts import vocabulary_size
from dgemma_viz.trace.interventions import recorded_interventions
from dgemma_viz.trace.model import Trace

_WARPERS = ("TemperatureLogitsWarper", "TopKLogitsWarper", "TopPLogitsWarper")
"""Of left-to-right decoding: they leave the draft what it is. The divergence is that before anything is cut off."""

_SCHEDULE = {"t_min", "t_max", "max_denoising_steps"}
_NEEDED = ("noised", "draft", "accepted", "candidate")


def is_causal(trace: Trace) -> bool:
    """Whether the trace is of left-to-right decoding; else of DiffusionGemma's own sampler.

    Raises
    ------
    TraceError
        It is of another sampler, or lacks what its canvases need to be read again.
    """
    kind = sampler_kind(trace)
    if (
        kind not in (SamplerKind.ENTROPY_BOUND, SamplerKind.CAUSAL)
        or trace.facts.settings.get("library") == "diffusers"
    ):
        by = "diffusers' pipeline" if kind.of_the_pipeline else str(kind)
        raise TraceError(
            f"this run was made by {by}; parity() reads the canvases of transformers' DiffusionGemma loop, of its "
            "ports in other runtimes, and of left-to-right decoding"
        )
    if not trace.n_steps:
        raise TraceError("this trace holds no denoising step, so there is no canvas to read")
    if not trace.prompt.size:
        raise TraceError("this trace holds no prompt, and without it no canvas means anything to a model")
    if not trace.facts.vocab_size:
        raise TraceError("this trace does not say the size of its vocabulary: set vocab_size in its facts")
    if missing := [name for name in _NEEDED if name in trace.facts.absent]:
        raise TraceError(f"this trace did not record {', '.join(missing)}, which a comparison of decisions needs")
    processors = trace.facts.settings.get("logits_processors", [])
    known = _WARPERS if kind is SamplerKind.CAUSAL else ()
    if trace.is_ragged:
        raise TraceError(
            f"this trace has canvases of {trace.lengths_in_words}; parity() knows those of one length only"
        )
    if "temperature" in trace.facts.absent and _SCHEDULE - trace.facts.settings.keys():
        raise TraceError(
            "this trace says neither the temperatures nor their schedule (t_min, t_max, max_denoising_steps in its "
            "settings), so what the sampler made of the logits cannot be computed"
        )
    check_call({**trace.facts.settings, "logits_processors": [name for name in processors if name not in known]})
    if changed := recorded_interventions(trace):
        raise TraceError(
            f"this run was changed on purpose ({changed[0].describe()}), so its canvases are not what the sampler made "
            "of the logits: take the run before the change"
        )
    if kind is SamplerKind.ENTROPY_BOUND and not np.isfinite(trace.entropy_bound).all():
        raise TraceError("this trace does not say the entropy bound of each step, so accepted sets cannot be compared")
    return kind is SamplerKind.CAUSAL


def check_model(trace: Trace, model: Any, *, causal: bool, whose: str) -> None:
    """Judge a model against a trace.

    Raises
    ------
    SettingError
        It is no model of the trace's kind, or of another vocabulary or canvas length.
    """
    inner = model_of(model)
    config = getattr(inner, "config", None)
    diffuses = hasattr(config, "canvas_length")
    if config is None or not callable(inner):
        raise SettingError(
            f"{whose} must be a model, or its logits as arrays of numpy or torch, one for each step; not a "
            f"{type(model).__name__}"
        )
    if causal and diffuses:
        raise SettingError(
            f"the trace was decoded from left to right, and {whose} denoises: pass as_causal(model) of "
            "dgemma_viz.labs.decoding"
        )
    if not causal and not diffuses:
        raise SettingError(
            f"{whose} is a {type(inner).__name__}, which has no canvas; the trace is of a DiffusionGemma"
        )
    if not causal:
        check_sizes(trace, inner)
    elif (size := vocabulary_size(inner)) != trace.facts.vocab_size:
        raise SettingError(
            f"the trace is of a vocabulary of {trace.facts.vocab_size:,} tokens, {whose} has {size:,}: ids of one mean "
            "nothing to the other"
        )


def check_other_run(trace: Trace, other: Trace) -> None:
    """Raise TraceError unless B's own run can be laid beside the trace."""
    pair_of(trace, other)
    if (other.n_samples, other.canvas_length) != (trace.n_samples, trace.canvas_length):
        raise TraceError(
            f"trace_b has {counted(other.n_samples, 'sample')} of {counted(other.canvas_length, 'position')}, the "
            f"trace {trace.n_samples} of {trace.canvas_length}: run B on the same prompts, in one batch, with the "
            "same canvas"
        )
    for sample in range(trace.n_samples) if other.prompt.size else ():  # a log may lack the prompt, or pad otherwise
        one, two = (of.prompt[sample][of.prompt_mask[sample]] for of in (trace, other))
        if not np.array_equal(one, two):
            raise TraceError(
                f"trace_b has another prompt in sample {sample}, so its logits are not of the same canvases: run B "
                "on the same prompts, in the same order"
            )
