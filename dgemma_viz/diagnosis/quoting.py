"""Token texts inside sentences: quoted, short, and with nothing in them that a terminal or a reader could mistake.

``repr`` writes control, zero-width and text-direction characters as escapes. It is not HTML-safe: the report escapes.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from dgemma_viz.plain_text import joined

_MOST_CHARACTERS = 60
_MOST_SPANS = 8


def quote(texts: Iterable[str]) -> str:
    """Token texts joined to whole characters, as a quoted literal; cut in the middle where long."""
    text = joined(texts)
    if len(text) > _MOST_CHARACTERS:
        half = _MOST_CHARACTERS // 2
        text = f"{text[:half]}…{text[-half:]}"
    return repr(text)


def spans(positions: Iterable[int]) -> str:
    """Ascending positions in words, neighbours joined: ``"3, 5–7"``."""
    return ", ".join(_spans(positions))


def places(positions: Iterable[int]) -> str:
    """``"position 3"``, ``"positions 3, 5–7"``, or the first few spans and how many more."""
    found = _spans(positions)
    more = len(found) - _MOST_SPANS
    several = len(found) > 1 or not found[0].isdecimal()
    return f"position{'s' if several else ''} {', '.join(found[:_MOST_SPANS])}{f' and {more} more' if more > 0 else ''}"


def _spans(positions: Iterable[int]) -> list[str]:
    ordered = sorted(positions)
    starts = [p for before, p in pairwise([-2, *ordered]) if p != before + 1]
    ends = [p for p, after in pairwise([*ordered, ordered[-1] + 2]) if after != p + 1] if ordered else []
    return [f"{a}" if a == b else f"{a}–{b}" for a, b in zip(starts, ends, strict=True)]


def count(number: int, thing: str) -> str:
    """``"1 token"``, ``"2 tokens"``."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
