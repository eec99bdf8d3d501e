"""What is known about a run apart from its steps: model, versions, settings asked for, random state."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import dgemma_viz
from dgemma_viz.errors import RecordingError
from dgemma_viz.trace.facts import KIND_OF_NAME
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.task import RunTask
from dgemma_viz.trace.tokenizer import check_tokenizer
from dgemma_viz.upstream.transformers import name_or_path

if TYPE_CHECKING:
    import torch

_SETTINGS = (
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

_OF_PIPELINES = {"num_inference_steps": "max_denoising_steps", "gen_length": "max_new_tokens"}
"""Arguments of diffusers' pipelines that are settings under other names."""

_FOUND_OUT = ("mask_token_id", "status", "error", "notices", "absent")
"""Facts that are not given by name: they have arguments of their own, or follow from the run."""


def facts_at_start(model: Any, task: RunTask, generator: Any = None, **known: Any) -> RunFacts:
    """Facts of a call that begins; ``known`` are others of its sampler.

    Parameters
    ----------
    model
        Of any class, with the attributes of a transformers model as far as it has them.
    task
        The caller's own facts.
    generator
        Of torch, that the call draws from; None for torch's own.
    """
    import torch

    return RunFacts(
        model_id=model_id(model) if hasattr(model, "config") else "",
        model_class=type(model).__name__,
        seed=torch.initial_seed() if generator is None else generator.initial_seed(),
        device=str(getattr(model, "device", "")),
        dtype=str(getattr(model, "dtype", "")).removeprefix("torch."),
        started=now(),
        task=task,
        **{"versions": versions("torch", "transformers"), **known},
    )


def diffusion_gemma_facts(model: Any, task: RunTask, generator: Any = None) -> RunFacts:
    """Facts of a call of a DiffusionGemma, whichever loop denoises with it."""
    settings = {"canvas_length": model.config.canvas_length, **adapters(model)}
    return facts_at_start(model, task, generator, vocab_size=vocabulary_size(model), settings=settings)


def with_config(facts: RunFacts, config: Any, inputs: Mapping[str, Any]) -> RunFacts:
    """Facts with the effective config: what ``_prepare_generation_config`` returns, and the inputs it left over."""
    settings = {name: getattr(config, name, None) for name in _SETTINGS}
    settings["entropy_bound"] = getattr(getattr(config, "sampler_config", None), "entropy_bound", None)
    settings["inputs"] = sorted(name for name, value in inputs.items() if value is not None)
    return replace(
        facts,
        settings={**facts.settings, **settings},
        eos_token_ids=eos_ids(config),
        pad_token_id=getattr(config, "pad_token_id", None),
    )


def with_sampler(facts: RunFacts, sampler: Any, processors: Iterable[Any]) -> RunFacts:
    """Facts with the classes of the sampler and of the logits processors, in the order in which they run."""
    names = [type(processor).__name__ for processor in processors]
    name = type(sampler).__name__
    settings = {**facts.settings, "logits_processors": names}
    return replace(facts, sampler=name, sampler_kind=KIND_OF_NAME.get(name, ""), settings=settings)


def with_pipeline_call(
    facts: RunFacts, pipeline: Any, given: Mapping[str, Any], asked: Iterable[str], scheduler: Mapping[str, Any]
) -> RunFacts:
    """Facts with what a call of one of diffusers' pipelines says in the same words, whichever pipeline it is.

    Parameters
    ----------
    facts
        Those of the call's model.
    pipeline
        The pipeline that was called.
    given
        Arguments of the call by name, defaults included.
    asked
        Arguments that are settings under their own names.
    scheduler
        Settings that are the scheduler's own.
    """
    name = type(pipeline.scheduler).__name__
    eos = pipeline.eos_token_id if given["eos_token_id"] is None else given["eos_token_id"]
    settings = {argument: given[argument] for argument in asked}
    settings |= {ours: given[theirs] for theirs, ours in _OF_PIPELINES.items()}
    return replace(
        facts,
        sampler=name,
        sampler_kind=facts.sampler_kind or KIND_OF_NAME.get(name, ""),
        settings={**facts.settings, **scheduler, "library": "diffusers", **settings},
        versions={**facts.versions, **versions("diffusers")},
        eos_token_ids=() if eos is None else (int(eos),),
    )


def eos_ids(config: Any) -> tuple[int, ...]:
    """End-of-sequence ids of a generation config, which holds one, several or none."""
    ids = getattr(config, "eos_token_id", None)
    if ids is None:
        return ()
    return tuple(int(one) for one in np.atleast_1d(np.asarray(ids)))


def vocabulary_size(model: Any) -> int:
    """Tokens that the model's head can give."""
    return int(model.config.get_text_config().vocab_size)


def model_id(model: Any) -> str:
    """Last component of the name or path that a model was loaded from: traces are shared, local paths are not."""
    return name_or_path(model.config).replace("\\", "/").rstrip("/").rpartition("/")[2]


def adapters(model: Any) -> dict[str, list[str]]:
    """``{"adapters": names}`` of PEFT's adapters that are active in a model; empty if there are none.

    The layers say so themselves, whether PEFT wrapped the model or transformers' ``add_adapter`` put them there. What
    was merged for good and unloaded cannot be seen.
    """
    layers = (module for module in model.modules() if any(c.__name__ == "BaseTunerLayer" for c in type(module).__mro__))
    names = {str(name) for layer in layers if not layer.disable_adapters for name in layer.active_adapters}
    return {"adapters": sorted(names)} if names else {}


def versions(*libraries: str) -> dict[str, str]:
    """Versions that can change a run: this package's, Python's, and those of libraries that take part in it."""
    found = {"dgemma_viz": dgemma_viz.__version__, "python": platform.python_version()}
    found |= {name: str(import_module(name).__version__) for name in libraries}
    if "torch" in libraries and (cuda := import_module("torch").version.cuda):
        found["cuda"] = cuda
    return found


def now() -> str:
    """The time at which a run begins, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def generator_state(device: torch.device, generator: torch.Generator | None = None) -> npt.NDArray[np.uint8]:
    """State of a generator, or of the one that sampling on a device draws from, uint8; read, never changed."""
    import torch

    if generator is not None:
        state = generator.get_state()
    elif device.type == "cuda":
        state = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state = torch.mps.get_rng_state()
    else:
        state = torch.get_rng_state()
    return np.array(state.numpy(), dtype=np.uint8)


# -- of a loop of one's own ------------------------------------------------------------------------------------------


def facts_given(given: Mapping[str, Any], tokenizer: Any, mask_token_id: int | None) -> RunFacts:
    """Facts of a run that begins.

    Parameters
    ----------
    given
        Fields of :class:`~dgemma_viz.trace.model.RunFacts` by name.
    tokenizer
        A tokenizer, for what was not given; or None.
    mask_token_id
        Id of the mask token, or None.

    Raises
    ------
    RecordingError
        A fact is unknown or no JSON, this is not a tokenizer, or it has no such mask token.
    """
    known = {field.name for field in fields(RunFacts)} - {*_FOUND_OUT}
    if unknown := sorted(set(given) - known):
        raise RecordingError(f"there is no fact {unknown[0]!r}; a run has {', '.join(sorted(known))}")
    if isinstance(name := given.get("model_id"), str):
        given = {**given, "model_id": _shared_name(name)}
    size = 0
    if tokenizer is not None:
        check_tokenizer(tokenizer, len(tokenizer) if hasattr(tokenizer, "__len__") else 0, ())
        size = len(tokenizer)
    eos = getattr(tokenizer, "eos_token_id", None)
    found: dict[str, Any] = {
        "vocab_size": size,
        "eos_token_ids": [] if eos is None else [eos],
        "pad_token_id": getattr(tokenizer, "pad_token_id", None),
        "versions": versions(),
        "started": now(),
    }
    try:
        facts = RunFacts.from_json(json.loads(json.dumps(found | dict(given), default=_plain)))
    except (TypeError, ValueError) as error:
        raise RecordingError(f"the facts of a run must be JSON types (text, numbers, lists, ...): {error}") from error
    if mask_token_id is not None and not 0 <= int(mask_token_id) < (facts.vocab_size or 2**31):
        raise RecordingError(
            f"the mask token {mask_token_id} is outside the vocabulary of {facts.vocab_size:,}: pass the id that the "
            "loop writes into the canvas"
        )
    return replace(facts, mask_token_id=None if mask_token_id is None else int(mask_token_id))


def _shared_name(name: str) -> str:
    """Of a local folder its last component alone: traces are shared, paths are not."""
    local = name.startswith(("/", "~", ".", "\\")) or name[1:3] in (":\\", ":/")
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] if local else name


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON types."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none")
