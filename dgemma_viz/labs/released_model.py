"""The released model where its weights are on this machine, the bundled one where they are not: the same code for both.

Nothing is downloaded. Looked for are a folder or hub id in the environment variable ``DGEMMA_VIZ_MODEL``, then a
complete download of the released model in the hub's cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from dgemma_viz.costs.shape import RELEASED
from dgemma_viz.costs.this_machine import physical_memory
from dgemma_viz.labs.single_run import load_model

VARIABLE: Final = "DGEMMA_VIZ_MODEL"
_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_GIGA = 1e9


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """What :func:`released_or_tiny` found.

    Attributes
    ----------
    model, tokenizer
        A ``DiffusionGemmaForBlockDiffusion`` with its tokenizer.
    released
        Whether it came from weights of the reader's own; else it is the bundled model.
    note
        A sentence that says which one, and why.
    """

    model: Any
    tokenizer: Any
    released: bool
    note: str


def released_or_tiny() -> LoadedModel:
    """Load the released model if it is here and fits into memory, else the bundled one, and say which.

    Raises
    ------
    SettingError
        ``DGEMMA_VIZ_MODEL`` names something that is no DiffusionGemma.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted:
        return LoadedModel(*load_model(wanted), True, f"Loaded from {VARIABLE}: {Path(wanted).name}.")
    folder, why = local_weights(), f"The weights of {RELEASED.name} are not on this machine"
    if folder is not None:
        needed, memory = _size(folder), memory_here()
        if needed <= memory:
            return LoadedModel(
                *load_model(str(folder)), True, f"{RELEASED.name}, {needed:.0f} GB, from the hub's cache."
            )
        why = f"The weights of {RELEASED.name} take {needed:.0f} GB, and this machine has {memory:.0f}"
    return LoadedModel(*load_model(), False, f"{why}: this page runs on the bundled model, through the same code.")


def local_weights(name: str = RELEASED.name) -> Path | None:
    """Folder of a complete download in the hub's cache; None where there is none. Asks nobody."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, "config.json")
    if not isinstance(config, str):
        return None
    folder = Path(config).parent
    return folder if all((folder / file).exists() for file in _weight_files(folder)) else None


def memory_here() -> float:
    """GB: of the CUDA devices together, or of this machine where there are none."""
    import torch

    if torch.cuda.is_available():
        free: int = sum(torch.cuda.mem_get_info(device)[0] for device in range(torch.cuda.device_count()))
        return free / _GIGA
    return physical_memory()


def _weight_files(folder: Path) -> list[str]:
    index = folder / _INDEX
    if not index.exists():
        return [_SINGLE]
    known: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
    return sorted(set(known.values()))


def _size(folder: Path) -> float:
    return sum((folder / file).stat().st_size for file in _weight_files(folder)) / _GIGA
