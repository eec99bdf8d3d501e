"""Open a trace file in the browser and see what was found in it. Every mistake ends as a message."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import ipywidgets as ipw

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace, load_trace
from dgemma_viz.widgets.notices import alert, status
from dgemma_viz.widgets.trace_upload import MEGABYTE, TraceUpload
from dgemma_viz.widgets.viewer import Viewer

_READ_SUFFIXES = (".safetensors", ".jsonl")


class TraceFilePanel(ipw.VBox):  # type: ignore[misc]
    """An upload, the right answer if the reader knows it, and the viewer of the opened trace.

    Parameters
    ----------
    most_bytes
        Largest file that is taken.

    Attributes
    ----------
    upload, reference
        Field for the file, and for the right answer.
    status
        What was opened, or why nothing was.
    viewer
        Shows the trace; None before the first.
    """

    def __init__(self, *, most_bytes: int = 64 * MEGABYTE) -> None:
        self.upload = TraceUpload(self.open_file, most_bytes=most_bytes)
        self.reference = ipw.Text(
            description="Right answer",
            placeholder="if you know it: wrong tokens are then found too",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipw.Layout(width="calc(100% - 4px)", max_width="52rem"),
        )
        self.status = ipw.HTML(status("No file opened yet."))
        self._stage = ipw.VBox()
        self.viewer: Viewer | None = None
        self.reference.observe(lambda _: self._judge(), "value")
        super().__init__([self.upload, self.reference, self.status, self._stage])

    def open_file(self, name: str, data: bytes) -> None:
        """Read a trace from a file's bytes and show it; what is shown stays where they are not a trace."""
        try:
            trace = _read(name, data)
            self._show(trace)
        except DgemmaVizError as error:
            self.status.value = alert(str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("a trace file could not be shown")
            self.status.value = alert(f"{name} could not be shown: {text_of(error)}")
        else:
            canvases = f"{trace.n_canvases} canvas{'es' if trace.n_canvases > 1 else ''}"
            self.status.value = status(f"{name}: {trace.n_steps} steps over {canvases}")

    def _judge(self) -> None:
        if self.viewer is None or self.viewer.trace is None:
            return
        try:
            self._show(self.viewer.trace)
        except DgemmaVizError as error:
            self.status.value = alert(str(error))

    def _show(self, trace: Trace) -> None:
        reference = self.reference.value or None
        if self.viewer is None:
            self.viewer = Viewer(trace, reference)
            self._stage.children = [self.viewer]
        else:
            self.viewer.show(trace, reference)


def _read(name: str, data: bytes) -> Trace:
    """Trace from bytes; errors speak of the file by its own name, not of where it was put."""
    suffix = next((known for known in _READ_SUFFIXES if name.lower().endswith(known)), _READ_SUFFIXES[0])
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as folder:
        path = Path(folder) / f"trace{suffix}"
        path.write_bytes(data)
        try:
            return load_trace(path)
        except DgemmaVizError as error:
            raise type(error)(str(error.args[0]).replace(str(path), name)) from error
