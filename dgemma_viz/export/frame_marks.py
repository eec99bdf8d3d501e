"""The marks of the token canvas, drawn into an image."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from dgemma_viz.figures.marks import CHANGED, OUTSIDE, TAKEN_BACK, Mark
from dgemma_viz.figures.theme import Theme

KEY = 32
"""Pixels from a mark in the legend to its words."""

_PATTERNS = {"solid": (1000, 0), "dot": (2, 3), "dash": (8, 5), "dashdot": (7, 2, 2, 2)}
"""Pixels drawn and left out in turn, by Plotly's name of the line style."""
_BOLD = 3
"""Width from which a line is drawn in ink."""

Box = tuple[int, int, int, int]


def draw_mark(draw: Any, mark: Mark, box: Box, look: Theme, ink: str | None = None) -> None:
    """Draw a mark into a box (left, top, right, bottom): an underline at its foot, or its form. ``ink`` is of the ×."""
    x0, y0, x1, y1 = box
    middle, half = (x0 + x1) / 2, min(x1 - x0, y1 - y0) / 2
    if mark is CHANGED:
        half = min(half, 4.5)
        corner = ((middle - half, y0), (middle + half, y0), (middle + half, y0 + 2 * half))
        draw.polygon(corner, fill=look.warning)
    elif mark is TAKEN_BACK:
        half, centre = min(half, 4), (y0 + y1) / 2
        for slope in (-1, 1):
            ends = (middle - half, centre - slope * half, middle + half, centre + slope * half)
            draw.line(ends, fill=ink or look.ink, width=2)
    elif mark is OUTSIDE:
        draw.rounded_rectangle((x0, y0 + 2, x1, y1 - 2), 3, outline=look.faint)
    elif mark.dash is not None:
        _underline(draw, mark, (x0, x1, y1), look)


def _underline(draw: Any, mark: Mark, place: tuple[int, int, int], look: Theme) -> None:
    x, end, bottom = place
    width = int(mark.width)
    colour = look.ink if width >= _BOLD else look.soft
    for n, length in enumerate(cycle(_PATTERNS[mark.dash or "solid"])):
        if x > end:
            return
        if n % 2 == 0:
            draw.rectangle((x, bottom - width, min(x + length - 1, end), bottom - 1), fill=colour)
        x += length
