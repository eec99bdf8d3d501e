"""Containers that let charts shrink and stack, and the closing of everything in a container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets

if TYPE_CHECKING:
    from collections.abc import Callable


def panel(child: widgets.Widget) -> widgets.Box:
    """A box that takes the width it is given, so that a chart in it can shrink."""
    return widgets.VBox([child], layout=widgets.Layout(min_width="0", width="100%", overflow="hidden"))


def columns(*children: widgets.Widget, narrowest: str = "400px") -> widgets.GridBox:
    """Children side by side where each gets at least the ``narrowest`` width."""
    template = f"repeat(auto-fit, minmax(min(100%, {narrowest}), 1fr))"
    layout = widgets.Layout(grid_template_columns=template, grid_gap="8px 16px", width="100%", min_width="0")
    return widgets.GridBox(list(children), layout=layout)


def close_tree(widget: widgets.Widget, closing: Callable[[], None] | None = None) -> None:
    """Close what a container holds and then the container (by ``closing``, if its own ``close`` calls this)."""
    for child in getattr(widget, "children", ()):
        if getattr(child, "children", ()):
            close_tree(child)
        else:
            child.close()
    (closing or widget.close)()
