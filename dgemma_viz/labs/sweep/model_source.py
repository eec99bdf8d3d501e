"""Where a sweep's model comes from: an object that is there already, or what loads one in each worker process.

A loaded model is not sent to other processes: it would be copied with every cell. Workers load their own, once each,
and keep the last one that they loaded.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from dgemma_viz.errors import SettingError

Load = Callable[[], tuple[Any, Any]]
"""Takes nothing, returns model and tokenizer. For other processes it must be picklable: a function of a module."""

TINY = "tiny"
"""Names the bundled model."""

_loaded: dict[str, tuple[Any, Any]] = {}


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
            from dgemma_viz.labs.single_run import load_model

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
