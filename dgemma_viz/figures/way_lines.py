"""Lines that stand for ways of decoding: told apart by colour, dash and symbol, with the key below the plot."""

from __future__ import annotations

from typing import Any

from dgemma_viz.figures.theme import Theme

_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
LINE = 17
"""Pixels of a line of the subtitle."""


def way_colour(look: Theme, number: int) -> str:
    """Colour of the way of that number."""
    colours = (look.accent, look.second, look.third, look.warning, look.ink)
    return colours[number % len(colours)]


def way_line(look: Theme, number: int) -> dict[str, Any]:
    """``line`` of a scatter trace."""
    return {"color": way_colour(look, number), "dash": _DASHES[number % len(_DASHES)], "width": 2}


def way_marker(look: Theme, number: int) -> dict[str, Any]:
    """``marker`` of a scatter trace."""
    return {"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 8, "color": way_colour(look, number)}


def key_below(subtitle_lines: int) -> dict[str, Any]:
    """Layout for a subtitle of so many lines beyond the first, and a key below the plot."""
    return {
        "margin": {"t": 66 + LINE * subtitle_lines, "b": 96, "l": 64},
        "legend": {"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        "showlegend": True,
    }
