"""Modules that another package imports and seldom uses are loaded when they are first used."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Postponed(ModuleType):
    """Stands for a module; whoever asks it for something gets it from the module itself."""

    def __getattr__(self, name: str) -> Any:
        _make_way(self)
        return getattr(import_module(self.__name__), name)


def _make_way(module: ModuleType) -> None:
    if sys.modules.get(module.__name__) is module:
        del sys.modules[module.__name__]


@contextmanager
def postponed(*names: str) -> Iterator[None]:
    """What is imported within gets stand-ins for these modules; nothing is changed for ones that are loaded or missing.

    Afterwards an import of one of them is an ordinary import again.
    """
    stand_ins = [_Postponed(name) for name in names if name not in sys.modules and find_spec(name) is not None]
    sys.modules.update({module.__name__: module for module in stand_ins})
    try:
        yield
    finally:
        for module in stand_ins:
            _make_way(module)
