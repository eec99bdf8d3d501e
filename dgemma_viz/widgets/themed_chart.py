"""A chart that follows the page: drawn anew when the browser sees that the page is dark, or light again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.widgets.chart import Chart

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from dgemma_viz.widgets.chart import Clicked


class ThemedChart(Chart):
    """A chart of a figure that can be drawn for either page.

    Parameters
    ----------
    draw
        Given ``"light"`` or ``"dark"``: the figure.
    clicked
        Called with x and y of a clicked point.
    """

    def __init__(self, draw: Callable[[str], go.Figure], clicked: Clicked | None = None) -> None:
        super().__init__(draw("light"), clicked)
        self._draw = draw
        self.observe(lambda _: self.redraw(), "dark")

    def redraw(self) -> None:
        """Draw again, for the page as it is."""
        self.show(self._draw("dark" if self.dark else "light"))
