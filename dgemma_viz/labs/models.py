"""Where a model comes from: the bundled one, a folder or hub id, the released weights on this machine, or a function.

An experiment that runs on other processes is given what loads a model, not the model: that would be copied with every
cell. Workers load their own, once each, and keep the last one that they loaded.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from dgemma_viz.costs.hardware import physical_memory
from dgemma_viz.costs.shape import RELEASED
from dgemma_viz.errors import SettingError

VARIABLE: Final = "DGEMMA_VIZ_MODEL"
"""Names a folder or hub id to take for the released model."""

_INDEX, _SINGLE = "model.safetensors.index.json", "model.safetensors"
_GIGA = 1e9

Load = Callable[[], tuple[Any, Any]]
"""Takes nothing, returns model and tokenizer. For other processes it must be picklable: a function of a module."""

TINY = "tiny"
"""Names the bundled model."""

_loaded: dict[str, tuple[Any, Any]] = {}


def load_model(name: str | None = None) -> tuple[Any, Any]:
    """Model and tokenizer: the bundled ones, or those of a folder or hub id.

    Raises
    ------
    SettingError
        ``name`` is neither a folder with a DiffusionGemma nor a hub id that can be reached.
    """
    if name is None:
        from dgemma_viz.tiny import load_tiny

        return load_tiny()
    from transformers import AutoTokenizer

    from dgemma_viz.upstream.transformers import DiffusionGemmaForBlockDiffusion

    # Spreading a large model over devices needs accelerate (the extra "large"); without it the model is on the CPU.
    placement = {"device_map": "auto"} if find_spec("accelerate") else {}
    try:
        model = DiffusionGemmaForBlockDiffusion.from_pretrained(name, dtype="auto", **placement)
        return model.eval(), AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, ImportError) as error:
        kind = "folder" if Path(name).exists() else "hub id"
        raise SettingError(f"no DiffusionGemma could be loaded from the {kind} '{name}': {error}") from error


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

    Nothing is downloaded. Looked for are a folder or hub id in the environment variable ``DGEMMA_VIZ_MODEL``, then a
    complete download of the released model in the hub's cache.

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


def _home() -> tuple[str, int]:
    return socket.gethostname(), os.getpid()


@dataclass(frozen=True, eq=False)
class Live:
    """A model that is loaded, with its tokenizer."""

    model: Any = field(repr=False)
    tokenizer: Any = field(repr=False)

    @property
    def name(self) -> str:
        """As in ``trace.facts.model_id``, else the model's class."""
        from dgemma_viz.recorders.run_facts import model_id

        return model_id(self.model) or type(self.model).__name__

    def load(self) -> tuple[Any, Any]:
        """Model and tokenizer."""
        return self.model, self.tokenizer


@dataclass(frozen=True)
class Loaded:
    """A model that is loaded where it is needed; picklable if ``load_model`` is.

    Attributes
    ----------
    name
        What the model is called in the file of a sweep.
    key
        The same for loads that give the same model.
    load_model
        A function, or the name of a folder or hub id; None stands for the bundled model.
    home
        Host and process that the sweep was started in.
    """

    name: str
    key: str
    load_model: Load | str | None
    home: tuple[str, int] = field(default_factory=_home)

    def load(self) -> tuple[Any, Any]:
        """Model and tokenizer, loaded on the first call in this process. A worker gets one torch thread before that.

        Raises
        ------
        SettingError
            The function gave something else, or there is no such model.
        """
        if self.key not in _loaded:
            if self.home != _home():
                import torch

                torch.set_num_threads(1)
            pair = self._loaded_now()
            _loaded.clear()
            _loaded[self.key] = pair
        return _loaded[self.key]

    def _loaded_now(self) -> tuple[Any, Any]:
        if self.load_model is None or isinstance(self.load_model, str):
            return load_model(self.load_model)
        pair = self.load_model()
        if not isinstance(pair, tuple) or len(pair) != 2:  # noqa: PLR2004 - model and tokenizer
            raise SettingError(f"{self.name} must return model and tokenizer, but returned {type(pair).__name__}")
        return pair


ModelSource = Live | Loaded


def source_of(model: Any, tokenizer: Any) -> ModelSource:
    """What the user gave, told apart.

    Raises
    ------
    SettingError
        A tokenizer is missing, or there is one although the model is yet to be loaded.
    """
    if isinstance(model, str | os.PathLike):
        _no_tokenizer(tokenizer)
        given = os.fspath(model)
        if given == TINY:
            return Loaded(_tiny_name(), TINY, None)
        place = str(Path(given).resolve()) if Path(given).exists() else given
        return Loaded(Path(place).name, f"name:{place}", place)
    if tokenizer is not None:
        return Live(model, tokenizer)
    if not callable(model) or hasattr(model, "config"):
        raise SettingError(
            f"a {type(model).__name__} needs its tokenizer: sweep(model, tokenizer, ...). Without one, give the name "
            "of a model ('tiny', a folder, a hub id) or a function that returns model and tokenizer"
        )
    function = getattr(model, "func", model)  # functools.partial
    named = function if hasattr(function, "__qualname__") else type(function)
    return Loaded(f"{named.__module__}.{named.__qualname__}()", uuid4().hex, model)


def _no_tokenizer(tokenizer: Any) -> None:
    if tokenizer is not None:
        raise SettingError("a model that is given by name brings its own tokenizer: give None for it")


def _tiny_name() -> str:
    from dgemma_viz.tiny.loading import KINDS

    return KINDS["diffusion"].name
