"""What a server publishes, for those who answer: its dashboards, its traces, and the modules that pages load.

Modules lie at addresses that have their content's hash, so that browsers keep them for ever. Plotly's is for dashboards
as well: kernels find its address in the environment (``ADDRESS_VARIABLE``), so that their pages load it over HTTP, once
for all of them, instead of over each page's websocket.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dgemma_viz.serving.dashboards import Dashboard
from dgemma_viz.views.modules import joined_module
from dgemma_viz.views.plotly_module import plotly_module

if TYPE_CHECKING:
    from dgemma_viz.serving.trace_store import TraceStore

FOLDER = "viewer"
"""Where the modules are, below the base URL."""
_STATIC = Path(__file__).parent / "static"
_EFFORT = 9


@dataclass(frozen=True)
class ViewerFiles:
    """The modules.

    Attributes
    ----------
    page, plotly
        Names of the module that starts the page of a published trace, and of Plotly's.
    packed
        Content by name, compressed (gzip).
    """

    page: str
    plotly: str
    packed: dict[str, bytes]


@dataclass(frozen=True)
class Site:
    """What is published.

    Attributes
    ----------
    dashboards
        By name.
    traces
        The published traces, or None.
    viewer_files
        JavaScript that pages load.
    framing
        Content-Security-Policy of who may show the pages in a frame.
    """

    dashboards: dict[str, Dashboard]
    traces: TraceStore | None
    viewer_files: ViewerFiles
    framing: str


def viewer_files() -> ViewerFiles:
    """Read, compress and name the modules (a fraction of a second)."""
    page = gzip.compress(joined_module("published_trace.js", _STATIC).encode(), _EFFORT, mtime=0)
    plotly = plotly_module(effort=_EFFORT)
    names = _name("trace", page), _name("plotly", plotly)
    return ViewerFiles(*names, dict(zip(names, (page, plotly), strict=True)))


def _name(stem: str, packed: bytes) -> str:
    return f"{stem}-{hashlib.sha256(packed).hexdigest()[:16]}.js"
