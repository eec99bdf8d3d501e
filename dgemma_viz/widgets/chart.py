"""A Plotly figure as a widget: the charts of the labs, which the kernel computes.

A small anywidget around the module that draws the viewer's charts (``views/static/figure.js``). The whole figure
crosses as JSON, arrays as Plotly writes them; back come clicks, and whether the page is dark.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import traitlets as t

from dgemma_viz.views.charts import spec_of
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.plotly_bundle import DrawsWithPlotly

if TYPE_CHECKING:
    import plotly.graph_objects as go

    Clicked = Callable[[Any, Any], None]


class Chart(DrawsWithPlotly):
    """A figure that follows the page: drawn anew when the page turns dark, or light again.

    Parameters
    ----------
    draw
        Given ``"light"`` or ``"dark"``: the figure.
    clicked
        Called with x and y of a clicked point: numbers, or the names of categories.

    Attributes
    ----------
    figure
        What is shown.
    spec
        The same as JSON, for the browser.
    dark
        Whether the page is dark, as the browser saw it.
    """

    _esm = joined_module("chart.js", STATIC)
    _css = style_sheets("figure.css")

    spec = t.Dict().tag(sync=True)
    dark = t.Bool(False).tag(sync=True)

    figure: go.Figure

    def __init__(self, draw: Callable[[str], go.Figure], clicked: Clicked | None = None) -> None:
        self._draw, self._clicked = draw, clicked
        self.figure = draw("light")
        super().__init__(spec=spec_of(self.figure, template=True))
        self.observe(lambda _: self.redraw(), "dark")
        self.on_msg(self._told)

    def redraw(self) -> None:
        """Draw again, for the page as it is."""
        self.show(self._draw("dark" if self.dark else "light"))

    def show(self, figure: go.Figure) -> None:
        """Show another figure, until the next :meth:`redraw`."""
        self.figure = figure
        self.spec = spec_of(figure, template=True)

    def click(self, x: Any, y: Any) -> None:
        """What a click on a point does."""
        if self._clicked is not None:
            self._clicked(x, y)

    def _told(self, _widget: object, content: Any, _buffers: Any) -> None:
        point = content.get("clicked") if isinstance(content, dict) else None
        if isinstance(point, list) and len(point) == 2:  # noqa: PLR2004 - x and y
            self.click(*point)
