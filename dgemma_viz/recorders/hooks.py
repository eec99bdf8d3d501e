"""Replace methods on single objects for a while, and put back exactly what was there.

Only ``vars(target)`` is touched: the class, other instances and ``nn.Module`` bookkeeping stay as they are, and a
method that was not an instance attribute before is not one afterwards. Calls of the object itself are the exception:
Python looks ``__call__`` up on the class, so for that the object gets a subclass of its own, of the same name.

Where a loop is a function of a module, and no method, calls for one object are led elsewhere
(:meth:`InstanceHooks.route`). Such a function is everybody's: it is replaced once, however many objects are watched,
and put back with the last of them.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping
from functools import partial, update_wrapper
from types import ModuleType, TracebackType
from typing import Any, Self

_ABSENT = object()
_routing = threading.Lock()


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

    def route(self, module: ModuleType, name: str, target: Any, around: Callable[..., Any]) -> None:
        """Let ``module.name(target, ...)`` call ``around(original, target, ...)``, and no other call of it."""
        with _routing:
            found = getattr(module, name)
            routed = found if isinstance(found, _Routed) else _Routed(found)
            routed.ways[id(target)] = around
            self._undo.append(partial(_unroute, module, name, routed, target))
            setattr(module, name, routed)

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


class _Routed:
    """Stands in for a function of a module; calls are told apart by their first argument."""

    def __init__(self, original: Callable[..., Any]) -> None:
        self.original = original
        self.ways: dict[int, Callable[..., Any]] = {}
        update_wrapper(self, original)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        around = self.ways.get(id(args[0])) if args else None
        return self.original(*args, **kwargs) if around is None else around(self.original, *args, **kwargs)


def _unroute(module: ModuleType, name: str, routed: _Routed, target: Any) -> None:
    with _routing:
        routed.ways.pop(id(target), None)
        if not routed.ways and getattr(module, name) is routed:
            setattr(module, name, routed.original)


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
