"""Replace methods on single objects for a while, and put back exactly what was there.

Only ``vars(target)`` is touched: the class, other instances and ``nn.Module`` bookkeeping stay as they are, and a
method that was not an instance attribute before is not one afterwards.
"""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

_ABSENT = object()


class InstanceHooks:
    """A set of replaced methods; a context manager that puts them back in reverse order, whatever happens."""

    def __init__(self) -> None:
        self._saved: list[tuple[dict[str, Any], str, Any]] = []

    def wrap(self, target: Any, name: str, around: Callable[..., Any]) -> None:
        """Let ``target.name(...)`` call ``around(original, ...)``, where ``original`` is what it called before."""
        original = getattr(target, name)
        attributes = vars(target)
        replacement = partial(around, original)
        update_wrapper(replacement, original)
        self._saved.append((attributes, name, attributes.get(name, _ABSENT)))
        attributes[name] = replacement

    def restore(self) -> None:
        """Put everything back; a second call does nothing."""
        while self._saved:
            attributes, name, before = self._saved[-1]
            if before is _ABSENT:
                attributes.pop(name, None)
            else:
                attributes[name] = before
            self._saved.pop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()
