"""The facts of a run that a reader needs to judge or repeat it, read from the model and its generation config."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import torch

import dgemma_viz
from dgemma_viz.trace.model import RunFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = (
    "max_new_tokens",
    "max_length",
    "max_denoising_steps",
    "t_min",
    "t_max",
    "stability_threshold",
    "confidence_threshold",
    "cache_implementation",
    "disable_compile",
)


def facts_before_a_run(model: Any, task: Mapping[str, Any] | None) -> RunFacts:
    """What is known before ``generate()`` has prepared its settings."""
    text_config = model.config.get_text_config()
    return RunFacts(
        # The last part of the path only: where somebody keeps their models is nobody's business.
        model_id=PurePath(getattr(model.config, "_name_or_path", "") or "").name,
        model_class=type(model).__name__,
        versions={
            "dgemma_viz": dgemma_viz.__version__,
            "transformers": metadata.version("transformers"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        vocab_size=int(text_config.vocab_size),
        seed=int(torch.initial_seed()),
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        started=datetime.now(UTC).isoformat(timespec="milliseconds"),
        task=dict(task or {}),
    )


def settings_of(generation_config: Any, canvas_length: int) -> dict[str, Any]:
    """The parameters asked for, as plain JSON values."""
    settings = {name: getattr(generation_config, name, None) for name in _SETTINGS}
    sampler_config = getattr(generation_config, "sampler_config", None)
    settings["entropy_bound"] = getattr(sampler_config, "entropy_bound", None)
    settings["canvas_length"] = canvas_length
    return settings


def eos_ids_of(generation_config: Any) -> tuple[int, ...]:
    """Ids that end a sequence: the config holds one, several or none."""
    ids = getattr(generation_config, "eos_token_id", None)
    if ids is None:
        return ()
    return tuple(int(i) for i in ids) if isinstance(ids, (list, tuple)) else (int(ids),)
