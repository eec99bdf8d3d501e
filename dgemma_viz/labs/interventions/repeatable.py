"""What can be run again, and changed: whether a trace holds all that it takes, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.samplers import SAMPLERS, Sampler
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.interventions.forced_decisions import ForcedDecision
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.trace.interventions.run_conditions import ChangeParameters
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT
from dgemma_viz.trace.tokenizer import TokenTexts, tokenizer_of


def sampler_of(trace: Trace) -> Sampler:
    """The sampler that made a trace.

    Raises
    ------
    TraceError
        It is none of those whose runs can be repeated.
    """
    masked = trace.facts.mask_token_id is not None
    known = {sampler.decides: sampler for sampler in SAMPLERS.values() if sampler.changeable is not None}
    found = known.get(trace.facts.sampler)
    if found is None or masked:
        what = "a model with a mask token" if found else f"the sampler {trace.facts.sampler or 'unknown'!r}"
        raise TraceError(
            f"this trace is of {what}, whose run cannot be repeated; repeated can be runs of a DiffusionGemma with "
            f"{', '.join(known)}"
        )
    return found


_OWN_PROCESSOR = "LinearTemperatureScheduleLogitsProcessor"
"""The one that ``generate()`` makes by itself, once."""

_GIVEN_ANYWAY = {"input_ids", "attention_mask"}


def check_repeatable(trace: Trace, model: Any, tokenizer: Any) -> None:
    """Judge a trace and a model.

    Raises
    ------
    TraceError
        The trace lacks something: the generator's state, the prompt, or what the user's own call had besides.
    SettingError
        The model is another, or on another kind of device, so that the run cannot begin in the same way.
    """
    if not isinstance(trace, Trace):
        raise TraceError(f"a run is repeated from its Trace, not from a {type(trace).__name__}")
    sampler_of(trace)
    if not hasattr(getattr(model, "config", None), "canvas_length"):
        raise SettingError(f"a {type(model).__name__} is no DiffusionGemma: load the model that was {_recorded(trace)}")
    if fault := trace.facts.task.fault:
        raise TraceError(f"this run was recorded with a planted fault ({fault}), so a healthy model cannot repeat it")
    if hooked := trace.facts.task.more.get("hooked"):
        raise TraceError(
            f"this run was made with functions of what modules give ({', '.join(map(str, hooked))!s:.200}), which a "
            "trace does not hold, so it cannot be repeated. Repeat the run that they were called in"
        )
    if trace.generator_state is None:
        raise TraceError(
            "this trace holds no state of the random generator, so its run cannot be repeated. Record it with "
            "dv.record; traces of other runtimes and of hand-written loops do not have one"
        )
    if not trace.prompt.size:
        raise TraceError("this trace holds no prompt, so its run cannot be repeated: it ended before reading one")
    check_call(trace.facts.settings)
    if trace.facts.settings.get("library") == "diffusers" and (trace.prompt == model.config.image_token_id).any():
        raise TraceError("this run was given an image, which a trace does not hold, so it cannot be repeated")
    check_sizes(trace, model)
    _check_device(trace, model)
    _check_tokenizer(trace, tokenizer)


def check_call(settings: Mapping[str, Any]) -> None:
    """What the user's own call was given and a trace does not keep.

    Raises
    ------
    TraceError
        There was some: logits processors of its own, images, a cache.
    """
    processors = list(settings.get("logits_processors", []))
    if _OWN_PROCESSOR in processors:
        processors.remove(_OWN_PROCESSOR)
    if processors:
        raise TraceError(
            f"this run used logits processors of its own ({', '.join(processors)}), which a trace does not hold, so it "
            "cannot be repeated"
        )
    if given := sorted(set(settings.get("inputs", [])) - _GIVEN_ANYWAY):
        raise TraceError(
            f"this run was given {', '.join(given)} besides the prompt, which a trace does not hold, so it cannot be "
            "repeated"
        )


def check_sizes(trace: Trace, model: Any) -> None:
    """Raise SettingError unless a DiffusionGemma has the trace's vocabulary and canvas length."""
    vocabulary, length = int(model.config.text_config.vocab_size), int(model.config.canvas_length)
    if trace.facts.vocab_size != vocabulary:
        raise SettingError(
            f"the trace is of a vocabulary of {trace.facts.vocab_size:,} tokens, the model has {vocabulary:,}: load "
            f"the model that was {_recorded(trace)}"
        )
    if trace.canvas_length != length:
        raise SettingError(
            f"the trace's canvas has {trace.canvas_length} positions, the model's {length}: load the model that was "
            f"{_recorded(trace)}"
        )


def _check_device(trace: Trace, model: Any) -> None:
    recorded, here = trace.facts.device.partition(":")[0], model.device.type
    if recorded != here:
        raise SettingError(
            f"the run was recorded on {recorded or 'an unknown device'}, whose random numbers {here} cannot repeat: "
            "move the model there"
        )


def _recorded(trace: Trace) -> str:
    return f"recorded ({trace.facts.model_id or trace.facts.model_class or 'unknown'})"


def _check_tokenizer(trace: Trace, tokenizer: Any) -> None:
    """Texts of the tokens around the steps: enough to tell another tokenizer of the same size."""
    ids = np.unique(np.concatenate([trace.prompt.reshape(-1), trace.emitted.reshape(-1)])).tolist()
    known = {token: trace.token_texts[token] for token in ids if token in trace.token_texts}
    here = TokenTexts(tokenizer_of(tokenizer)).of(known)
    other = [token for token in known if token in here and here[token] != known[token]]
    if other:
        raise SettingError(
            f"the tokenizer is not the trace's: token {other[0]} reads {here[other[0]]!r}, in the trace "
            f"{known[other[0]]!r}"
        )


def place_of(trace: Trace, canvas: int, step: int) -> int:
    """Index on the axis ``S`` of a step.

    Raises
    ------
    SettingError
        The trace does not have it; the message says what it has. Or these are no whole numbers.
    """
    canvas, step = checked_range("a canvas", canvas, -inf, whole=True), checked_range("a step", step, -inf, whole=True)
    if not 0 <= canvas < trace.n_canvases:
        raise SettingError(f"there is no canvas {canvas} in this run, which has {trace.n_canvases} (counted from 0)")
    places = np.flatnonzero(trace.canvas == canvas)
    if not 0 <= step < len(places):
        raise SettingError(
            f"there is no step {step} in canvas {canvas} of this run, which ran steps 0 to {len(places) - 1} there"
        )
    return int(places[step])


def cut(trace: Trace, steps: int) -> Trace:
    """The first steps of a trace, as if it had been interrupted after them: the canvas at hand was not emitted yet."""
    steps = min(steps, trace.n_steps)
    canvases = int(trace.canvas[steps - 1]) if steps else 0
    arrays = {name: getattr(trace, name)[:steps] for name, spec in ARRAYS.items() if spec.axes[0] == "S"}
    arrays |= {name: getattr(trace, name)[:canvases] for name, spec in ARRAYS.items() if spec.axes[0] == "N"}
    arrays |= {name: held[:steps] for name in RULED_OUT if (held := getattr(trace, name)) is not None}
    facts = replace(trace.facts, status="interrupted", error=f"cut after {counted(steps, 'step')}")
    return replace(trace, **arrays, facts=facts)


def check_places(trace: Trace, interventions: Sequence[Intervention]) -> None:
    """Raise SettingError if the run has no such step, not for that sample, or one in which nothing can be forced."""
    for one in interventions:
        canvas, step = one.begins
        place = place_of(trace, canvas, step)
        if one.sample is not None and not trace.active[place, one.sample]:
            ran = trace.canvas_run(canvas, one.sample).n_steps
            raise SettingError(
                f"sample {one.sample} had finished canvas {canvas} before step {step}, after {counted(ran, 'step')}: "
                f"{one.describe()}"
            )
        if isinstance(one, ForcedDecision) and one.lasts == 1 and trace.phase[place] != Phase.DENOISE:
            raise SettingError(
                f"step {step} of canvas {canvas} is a corrector sweep, which decides nothing that could be forced: "
                f"{one.describe()}"
            )


def check_parameters(trace: Trace, interventions: Sequence[Intervention]) -> None:
    """Raise SettingError if changed parameters do not go with those that rule the run by then."""
    sampler = sampler_of(trace)
    values = sampler.values() | {name: v for name, v in trace.facts.settings.items() if name in sampler.values()}
    changes = [one for one in interventions if isinstance(one, ChangeParameters)]
    for one in sorted(changes, key=lambda one: one.begins):
        values |= one.values
        if None not in (values.get("t_min", 0), values.get("t_max", 0)):
            sampler.validate(values)
