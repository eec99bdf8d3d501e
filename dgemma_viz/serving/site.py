"""What a server publishes, for those who answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgemma_viz.serving.dashboards import Dashboard

if TYPE_CHECKING:
    from dgemma_viz.serving.trace_store import TraceStore
    from dgemma_viz.serving.viewer_files import ViewerFiles


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
