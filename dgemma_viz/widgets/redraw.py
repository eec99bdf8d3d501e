"""Changes of a selection collected into one redraw: a click moves step and position, each chart is drawn once."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Redraw:
    """Calls ``draw`` with the names of what changed, after the outermost :meth:`together` block."""

    def __init__(self, draw: Callable[[set[str]], None]) -> None:
        self._draw = draw
        self._changed: set[str] = set()
        self._held = 0

    def note(self, name: str) -> None:
        """Something changed; to be called inside a block."""
        self._changed.add(name)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Draw once, after the outermost block; not at all if nothing changed."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held and self._changed:
                changed, self._changed = self._changed, set()
                self._draw(changed)
