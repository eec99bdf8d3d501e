"""What the figures of an :class:`~dgemma_viz.trace.inside.Inside` share: positions, their words, where it was taken."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import ORIGINS
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.hover import token_labels
from dgemma_viz.figures.place import whole_number
from dgemma_viz.trace.inside import Inside

Array = npt.NDArray[Any]

SHORT = 6
"""Characters of a token on an axis or in a cell."""
_MOST_WORDS = 6
"""Ticks with words that have room on a phone."""


def resolve_positions(inside: Inside, positions: range | None) -> range:
    """The neighbouring positions that a figure shows; all for None.

    Raises
    ------
    SettingError
        They are no neighbours, or not there.
    """
    if positions is None:
        return range(inside.n_positions)
    if not isinstance(positions, range) or positions.step != 1 or not positions:
        raise SettingError(f"positions is {positions!r}; it must be a range of neighbours, such as range(0, 20)")
    if positions.start < 0 or positions.stop > inside.n_positions:
        raise SettingError(f"{positions} leaves the positions that were looked at: 0 to {inside.n_positions - 1}")
    return positions


def resolve_place(inside: Inside, position: int | None) -> int | None:
    """A selected position, or None.

    Raises
    ------
    SettingError
        It is not there.
    """
    if position is None or 0 <= whole_number("position", position) < inside.n_positions:
        return position
    raise SettingError(f"position {position} was not looked at: choose from 0 to {inside.n_positions - 1}")


def place_of(values: Array, wanted: int, what: str) -> int:
    """Where a layer or head stands along its axis.

    Raises
    ------
    SettingError
        It is not there.
    """
    found = np.flatnonzero(values == whole_number(what, wanted))
    if not found.size:
        raise SettingError(f"{what} {wanted} was not kept; there are {', '.join(map(str, values.tolist()))}")
    return int(found[0])


def where_taken(inside: Inside) -> str:
    """``canvas 0, step 3``, or ``one pass`` that belongs to no run."""
    if inside.facts.canvas is None:
        return "one pass"
    return f"canvas {inside.facts.canvas}, step {inside.facts.step}"


def origin_words(inside: Inside) -> Array:
    """What the pass found at each position, in a word: ``(C,)``."""
    words = {code: word for word, code in ORIGINS.items()}
    return np.array([words[code] for code in inside.origin.tolist()])


def position_ticks(inside: Inside, positions: range, ids: Array) -> dict[str, Any]:
    """Ticks at positions, a few, each with its token of ``ids`` ``(C,)``."""
    step = next(m * 10**e for e in range(9) for m in (1, 2, 5) if len(positions) / (m * 10**e) <= _MOST_WORDS)
    places = [position for position in positions if position % step == 0] or [positions.start]
    words = token_labels(inside, ids[places], SHORT)
    said = [f"{place}<br>{word}" for place, word in zip(places, words.tolist(), strict=True)]
    return {"tickmode": "array", "tickvals": places, "ticktext": said, "tickangle": 0}
