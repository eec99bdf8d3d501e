"""Token texts inside sentences: quoted, short, and with nothing in them that a terminal or a reader could mistake.

``repr`` writes control, zero-width and text-direction characters as escapes. It is not HTML-safe: the report escapes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_CHARACTERS = 60
_MOST_PLACES = 8


def quote(texts: Iterable[str]) -> str:
    """Token texts joined, as a quoted literal; cut in the middle where long."""
    joined = "".join(texts)
    if len(joined) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        joined = f"{joined[:half]}…{joined[-half:]}"
    return repr(joined)


def places(positions: Sequence[int]) -> str:
    """``"position 3"``, ``"positions 3, 5"``, or the first few and how many more."""
    numbers = ", ".join(str(position) for position in positions[:_MOST_PLACES])
    more = len(positions) - _MOST_PLACES
    return f"position{'s' if len(positions) > 1 else ''} {numbers}{f' and {more} more' if more > 0 else ''}"


def count(number: int, thing: str) -> str:
    """``"1 token"``, ``"2 tokens"``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
