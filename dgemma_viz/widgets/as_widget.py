"""Whatever a page can show, as a widget that stands in a container."""

from __future__ import annotations

from typing import Any

import ipywidgets as ipw

from dgemma_viz.errors import SettingError
from dgemma_viz.markup import Markup, tag
from dgemma_viz.views.run_header import readable
from dgemma_viz.widgets.panels import panel
from dgemma_viz.widgets.viewer import Viewer

_WHAT = "a widget, a figure, a table, what has an HTML form of its own, a text, or a list of these"


def as_widget(content: Any) -> ipw.Widget:
    """A widget as it is; a Plotly figure as a chart; a table, readable; plain text; a list, one under the other.

    Raises
    ------
    SettingError
        It is none of these.
    """
    if isinstance(content, ipw.Widget):
        parts = content.parts if isinstance(content, Viewer) else [content]
        return parts[0] if len(parts) == 1 else _stacked(parts)
    if isinstance(content, str):
        return ipw.HTML(str(tag("p", readable(content), style="line-height:1.5;margin:.3rem 0;overflow-wrap:anywhere")))
    if isinstance(content, list | tuple):
        return _stacked([as_widget(one) for one in content])
    return _made(content)


def _made(content: Any) -> ipw.Widget:
    import pandas as pd
    import plotly.graph_objects as go
    from IPython.core.formatters import HTMLFormatter

    from dgemma_viz.widgets.chart import Chart
    from dgemma_viz.widgets.reading_table import reading_table

    if isinstance(content, go.Figure):
        return panel(Chart(lambda _theme: content))
    shown = reading_table(content) if isinstance(content, pd.DataFrame) else content
    html = HTMLFormatter()(shown)
    if html is None:
        raise SettingError(f"an object of type {type(content).__name__} cannot be shown here; give {_WHAT}")
    # Tables may be wider than the page: what scrolls is within the reach of keys. The box asks for no width itself, or
    # a wide table would stretch it, and the text beside the table with it.
    box = tag(
        "div",
        Markup(html),
        class_="jp-RenderedHTMLCommon",
        style="overflow-x:auto;box-sizing:border-box;width:0;min-width:100%",
        tabindex=0,
        role="group",
        aria_label="Table",
    )
    return ipw.HTML(str(box), layout=ipw.Layout(width="100%", min_width="0"))


def _stacked(parts: list[ipw.Widget]) -> ipw.VBox:
    return ipw.VBox(parts, layout=ipw.Layout(width="100%", min_width="0"))
