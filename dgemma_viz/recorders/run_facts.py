"""What is known about a run apart from its steps: model, versions, settings asked for, random state."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers

import dgemma_viz
from dgemma_viz.trace.model import RunFacts
from dgemma_viz.trace.sampler_kinds import KIND_OF_NAME
from dgemma_viz.trace.task import RunTask
from dgemma_viz.upstream.transformers import name_or_path

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


def facts_at_start(model: Any, task: RunTask) -> RunFacts:
    """Facts that are known when ``generate()`` is called."""
    return RunFacts(
        model_id=model_id(model),
        model_class=type(model).__name__,
        versions=versions(),
        vocab_size=vocabulary_size(model),
        seed=torch.initial_seed(),
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        settings={"canvas_length": model.config.canvas_length, **adapters(model)},
        task=task,
    )


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


def eos_ids(config: Any) -> tuple[int, ...]:
    """End-of-sequence ids of a generation config, which holds one, several or none."""
    ids = getattr(config, "eos_token_id", None)
    if ids is None:
        return ()
    return tuple(int(one) for one in np.atleast_1d(np.asarray(ids)))


def vocabulary_size(model: Any) -> int:
    """Tokens that the model's head can give."""
    return int(model.config.text_config.vocab_size)


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


def versions() -> dict[str, str]:
    """Versions that can change a run."""
    found = {
        "dgemma_viz": dgemma_viz.__version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": transformers.__version__,
    }
    if torch.version.cuda:
        found["cuda"] = torch.version.cuda
    return found


def generator_state(device: torch.device, generator: torch.Generator | None = None) -> npt.NDArray[np.uint8]:
    """State of a generator, or of the one that sampling on a device draws from, uint8; read, never changed."""
    if generator is not None:
        state = generator.get_state()
    elif device.type == "cuda":
        state = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state = torch.mps.get_rng_state()
    else:
        state = torch.get_rng_state()
    return np.array(state.numpy(), dtype=np.uint8)
