"""Containers that let charts shrink and stack, and the closing of everything in a container."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets as widgets

_NARROWEST = "400px"


def panel(child: widgets.Widget) -> widgets.Box:
    """A box that takes the width it is given, so that a chart in it can shrink."""
    return widgets.VBox([child], layout=widgets.Layout(min_width="0", width="100%", overflow="hidden"))


def side_by_side(narrowest: str = _NARROWEST) -> str:
    """Columns of a grid whose children stand side by side where each gets at least the ``narrowest`` width."""
    return f"repeat(auto-fit, minmax(min(100%, {narrowest}), 1fr))"


def columns(*children: widgets.Widget, narrowest: str = _NARROWEST) -> widgets.GridBox:
    """Children side by side where each gets at least the ``narrowest`` width."""
    layout = widgets.Layout(
        grid_template_columns=side_by_side(narrowest), grid_gap="8px 16px", width="100%", min_width="0"
    )
    return widgets.GridBox(list(children), layout=layout)


def close_tree(
    widget: widgets.Widget, closing: Callable[[], None] | None = None, besides: Iterable[widgets.Widget] = ()
) -> None:
    """Close what a container holds and then the container (by ``closing``, if its own ``close`` calls this).

    ``besides`` are those that it holds at other times.
    """
    for child in (*getattr(widget, "children", ()), *besides):
        if getattr(child, "children", ()):
            close_tree(child)
        else:
            close_with_looks(child)
    close_with_looks(widget, closing)


def close_with_looks(widget: widgets.Widget, closing: Callable[[], None] | None = None) -> None:
    """Close a widget (by ``closing``, as above), and its layout and style, which are widgets that would stay."""
    (closing or widget.close)()
    for name in ("layout", "style"):
        look = getattr(widget, name, None)
        if isinstance(look, widgets.Widget):
            look.close()
