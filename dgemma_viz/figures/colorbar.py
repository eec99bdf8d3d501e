"""The colour bar of steps x positions maps and token grids."""

from __future__ import annotations

from typing import Any

from dgemma_viz.figures.quantities import Quantity

TOP = 98
"""Pixels that a figure leaves above its plot for titles and colour bar."""
_FROM_TOP = 76


def colorbar(shown: Quantity, height: int) -> dict[str, Any]:
    """Plotly colour bar of a quantity: a thin line under the titles, with words for categories.

    It is placed in the container, ``height`` pixels high: a colour bar that reaches out of the plot moves the title.
    """
    bar: dict[str, Any] = {
        "orientation": "h",
        "thickness": 9,
        "len": 0.5,
        "lenmode": "fraction",
        "x": 0,
        "xanchor": "left",
        "y": 1 - _FROM_TOP / height,
        "yref": "container",
        "yanchor": "middle",
        "ypad": 0,
        "xpad": 0,
        "outlinewidth": 0,
        "ticks": "",
        "tickfont": {"size": 10},
        "nticks": 5,
    }
    if shown.categories:
        bar |= {"tickmode": "array", "tickvals": list(range(len(shown.categories))), "ticktext": shown.categories}
    return bar
