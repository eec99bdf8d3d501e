"""What panels are made of: containers that let charts shrink and stack, their closing, and one-line messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import ipywidgets as widgets

from dgemma_viz.markup import tag
from dgemma_viz.views.run_header import readable

_NARROWEST = "400px"
_WRAP = "line-height:1.5;overflow-wrap:anywhere;max-height:12em;overflow:auto"
"""A message may quote a prompt without a space in it, of any length."""
_ALERT = f"padding:.55rem .8rem;border-left:4px solid #b3261e;background:rgba(179,38,30,.1);border-radius:2px;{_WRAP}"


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


def status(message: str) -> str:
    """What goes on, as HTML; the message is escaped. It is announced when the reader is idle."""
    return str(tag("div", readable(message), role="status", aria_live="polite", style=f"margin:.5rem 0;{_WRAP}"))


def alert(message: str) -> str:
    """What went wrong, as HTML; the message is escaped. It is announced at once."""
    return str(tag("div", readable(message), role="alert", style=_ALERT))
