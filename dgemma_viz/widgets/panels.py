"""Containers that let charts shrink and stack, and the closing of everything in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

if TYPE_CHECKING:
    from collections.abc import Callable


_NARROWEST = "400px"


def panel(child: widgets.Widget) -> widgets.Box:
    """A box that takes the width it is given, so that a chart in it can shrink."""
    return widgets.VBox([child], layout=widgets.Layout(min_width="0", width="100%", overflow="hidden"))


ONE_COLUMN = "minmax(0, 1fr)"
"""Columns of a grid (``grid_template_columns``) whose children stand one under the other."""


def side_by_side(narrowest: str = _NARROWEST) -> str:
    """Columns of a grid whose children stand side by side where each gets at least the ``narrowest`` width."""
    return f"repeat(auto-fit, minmax(min(100%, {narrowest}), 1fr))"


def columns(*children: widgets.Widget, narrowest: str = _NARROWEST) -> widgets.GridBox:
    """Children side by side where each gets at least the ``narrowest`` width."""
    layout = widgets.Layout(
        grid_template_columns=side_by_side(narrowest), grid_gap="8px 16px", width="100%", min_width="0"
    )
    return widgets.GridBox(list(children), layout=layout)


def close_tree(widget: widgets.Widget, closing: Callable[[], None] | None = None) -> None:
    """Close what a container holds and then the container (by ``closing``, if its own ``close`` calls this)."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "children", ()):
            close_tree(child)
        else:
            child.close()
    (closing or widget.close)()
