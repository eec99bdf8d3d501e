"""Marker lines and crosshairs: layout shapes that say which step and position is selected.

They are the whole difference between a figure at one step and the same figure at another, wherever a figure's docstring
says so; a widget may replace ``layout.shapes`` with them and leave the data alone.
"""

from __future__ import annotations

from typing import Any

from dgemma_viz.figures.theme import Theme

Shape = dict[str, Any]


def step_marker(step: int, theme: Theme) -> Shape:
    """Vertical line at a step, through all panels that share the x axis."""
    line = {"color": theme.ink, "width": 1.5, "dash": "dot"}
    ends = {"x0": step, "x1": step, "y0": 0, "y1": 1}
    return {"type": "line", "name": "selected step", "xref": "x", "yref": "paper", **ends, "line": line}


def crosshair(step: int | None, position: int | None, size: tuple[int, int], theme: Theme) -> list[Shape]:
    """Frames around a row (step) and a column (position) of a steps x positions map; None leaves one out.

    Parameters
    ----------
    step, position
        Selected row and column, from 0.
    size
        Rows ``T`` and columns ``C`` of the map.
    theme
        Each frame is ink on a halo of paper, so that it is seen on every colour.
    """
    rows, columns = size
    shapes: list[Shape] = []
    if step is not None:
        shapes += _frame("selected step", (-0.5, columns - 0.5), (step - 0.5, step + 0.5), theme)
    if position is not None:
        shapes += _frame("selected position", (position - 0.5, position + 0.5), (-0.5, rows - 0.5), theme)
    return shapes


def _frame(name: str, xs: tuple[float, float], ys: tuple[float, float], theme: Theme) -> list[Shape]:
    place = {"type": "rect", "xref": "x", "yref": "y", "x0": xs[0], "x1": xs[1], "y0": ys[0], "y1": ys[1]}
    return [
        {**place, "name": f"{name}: halo", "line": {"color": theme.paper, "width": 3}},
        {**place, "name": name, "line": {"color": theme.ink, "width": 1.25}},
    ]
