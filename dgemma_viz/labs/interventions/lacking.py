"""Whether a trace holds all that is needed to run it again, on the model at hand. Judged before anything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.interventions.sampler_of_class import sampler_of
from dgemma_viz.recorders.token_texts import TokenTexts
from dgemma_viz.recorders.tokenizer_match import tokenizer_of
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    if fault := trace.facts.task.get("fault"):
        raise TraceError(f"this run was recorded with a planted fault ({fault}), so a healthy model cannot repeat it")
    if trace.generator_state is None:
        raise TraceError(
            "this trace holds no state of the random generator, so its run cannot be repeated. Record it with "
            "dv.record; traces of other runtimes and of hand-written loops do not have one"
        )
    if not trace.prompt.size:
        raise TraceError("this trace holds no prompt, so its run cannot be repeated: it ended before reading one")
    _check_call(trace.facts.settings)
    if trace.facts.settings.get("library") == "diffusers" and (trace.prompt == model.config.image_token_id).any():
        raise TraceError("this run was given an image, which a trace does not hold, so it cannot be repeated")
    _check_model(trace, model)
    _check_tokenizer(trace, tokenizer)


def _check_call(settings: Mapping[str, Any]) -> None:
    """What the user's own call was given and a trace does not keep."""
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


def _check_model(trace: Trace, model: Any) -> None:
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
