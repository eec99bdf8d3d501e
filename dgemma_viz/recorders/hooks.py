"""Replace methods on single objects for a while, and put back exactly what was there.

Only ``vars(target)`` is touched: the class, other instances and ``nn.Module`` bookkeeping stay as they are, and a
method that was not an instance attribute before is not one afterwards. Calls of the object itself are the exception:
Python looks ``__call__`` up on the class, so for that the object gets a subclass of its own, of the same name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from types import TracebackType
from typing import Any, Self

_ABSENT = object()


class InstanceHooks:
    """A set of replaced methods; a context manager that puts them back in reverse order, whatever happens."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def wrap(self, target: Any, name: str, around: Callable[..., Any]) -> None:
        """Let ``target.name(...)`` call ``around(original, ...)``, where ``original`` is what it called before."""
        original = getattr(target, name)
        attributes = vars(target)
        replacement = partial(around, original)
        update_wrapper(replacement, original)
        before = attributes.get(name, _ABSENT)
        self._undo.append(partial(_put_back, attributes, name, before))
        attributes[name] = replacement

    def wrap_call(self, target: Any, around: Callable[..., Any]) -> None:
        """Let ``target(...)`` call ``around(original, ...)``."""
        own = type(target)

        def call(instance: Any, *args: Any, **kwargs: Any) -> Any:
            original = partial(own.__call__, instance)
            if instance is not target:  # a copy that was made meanwhile
                return original(*args, **kwargs)
            return around(original, *args, **kwargs)

        update_wrapper(call, own.__call__)
        names = {name: getattr(own, name) for name in ("__module__", "__qualname__", "__doc__")}
        self._undo.append(partial(setattr, target, "__class__", own))
        target.__class__ = type(own.__name__, (own,), {**names, "__call__": call})

    def restore(self) -> None:
        """Put everything back; a second call does nothing."""
        while self._undo:
            self._undo[-1]()
            self._undo.pop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()


def _put_back(attributes: dict[str, Any], name: str, before: Any) -> None:
    if before is _ABSENT:
        attributes.pop(name, None)
    else:
        attributes[name] = before


def by_name(
    method: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], *, defaults: bool = False
) -> Mapping[str, Any]:
    """Arguments of a call by parameter name; with ``defaults``, those of parameters that were left out as well."""
    if not args and not defaults:
        return kwargs
    parameters = inspect.signature(method).parameters
    rest = {name: p.default for name, p in parameters.items() if p.default is not p.empty} if defaults else {}
    return rest | dict(zip(parameters, args, strict=False)) | dict(kwargs)
