"""Plotly's JavaScript for the widgets of a page: sent once, not with each chart.

Where our own server serves the page, Plotly comes from an address that browsers keep. Elsewhere it crosses the
websocket as the state of one :class:`PlotlyBundle`, which arrives although the kernel is busy with the next cell. A
front end that only knows the widgets that it shows (marimo) asks for it by message.
"""

from __future__ import annotations

import os
from typing import Any

import anywidget
import plotly
import traitlets as t

from dgemma_viz.views.modules import joined_module
from dgemma_viz.views.plotly_module import ADDRESS_VARIABLE, plotly_module
from dgemma_viz.widgets import STATIC

_EFFORT = 1
"""Of compressing: a page waits for it."""


class PlotlyBundle(anywidget.AnyWidget):  # type: ignore[misc]
    """Plotly as an ES module, for all charts of a page. Shows nothing itself.

    Attributes
    ----------
    version
        Plotly's.
    source
        The module, compressed by gzip: a third of it, which counts on the way and for as long as the kernel lives.
    """

    _esm = joined_module("plotly_bundle.js", STATIC)

    version = t.Unicode(plotly.__version__).tag(sync=True)
    source = t.Bytes().tag(sync=True)


_bundles: list[PlotlyBundle] = []


class DrawsWithPlotly(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget that draws with the Plotly of its page.

    Attributes
    ----------
    plotly_version, plotly_address
        Of the installed package; and where the page can fetch it, or empty.
    """

    plotly_version = t.Unicode(plotly.__version__).tag(sync=True)
    plotly_address = t.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        address = os.environ.get(ADDRESS_VARIABLE, "")
        if not address and (not _bundles or _bundles[0].comm is None):  # none yet, or its comm was closed
            _bundles[:] = [PlotlyBundle(source=plotly_module(_EFFORT))]
        super().__init__(plotly_address=address, **traits)
        self.on_msg(self._plotly_wanted)

    def _plotly_wanted(self, _widget: object, content: Any, _buffers: Any) -> None:
        if content == {"want": "plotly"}:
            self.send({"plotly": plotly.__version__}, [plotly_module(_EFFORT)])
