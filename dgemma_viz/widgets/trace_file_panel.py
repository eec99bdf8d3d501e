"""Open a trace file in the browser and see what was found in it. Every mistake ends as a message.

The file is brought to Python in pieces, and only if it is not too large: ipywidgets' ``FileUpload`` sends the whole
file as one message, whatever its size; one above the server's limit cuts the page off from its kernel. Here the
browser refuses what is too large before it sends anything, then sends pieces of 1 MiB and waits for each to arrive.
Python counts along and trusts nothing: pieces out of order, or more bytes than announced or allowed, end the upload
with a message. The bytes are only collected; whether they are a trace is for the reader.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import anywidget
import ipywidgets as ipw
import traitlets as t

from dgemma_viz.amounts import counted
from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace, load_trace
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.panels import alert, status
from dgemma_viz.widgets.viewer import Viewer

MEGABYTE: Final = 2**20
_LONGEST_NAME = 200


class TraceUpload(anywidget.AnyWidget):  # type: ignore[misc]
    """A button, and a place to drop a file.

    Parameters
    ----------
    received
        Called with the file's name and bytes once all of it is here.
    most_bytes
        Largest file that is taken.

    Attributes
    ----------
    problem
        What was wrong with the last file; empty if nothing.
    """

    _esm = joined_module("trace_upload.js", STATIC)
    _css = style_sheets("trace_upload.css", folder=STATIC)

    most_bytes = t.Int(64 * MEGABYTE).tag(sync=True)
    accept = t.Unicode(".safetensors,.jsonl").tag(sync=True)
    problem = t.Unicode().tag(sync=True)

    def __init__(self, received: Callable[[str, bytes], None], *, most_bytes: int = 64 * MEGABYTE) -> None:
        super().__init__(most_bytes=most_bytes)
        self._received = received
        self._name, self._size, self._pieces = "", 0, bytearray()
        self._number: Any = None
        self.on_msg(self._message)

    def _message(self, _widget: object, content: Any, buffers: Sequence[Any]) -> None:
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "begin":
            self._begin(content)
        elif kind == "piece" and len(buffers) == 1 and content.get("number") == self._number:
            self._add(content, bytes(buffers[0]))

    def _begin(self, content: dict[str, Any]) -> None:
        name, size = content.get("name"), content.get("size")
        self._pieces, self._number = bytearray(), content.get("number")
        if not isinstance(name, str) or not isinstance(size, int) or size < 1:
            self._refuse("the file is empty, or could not be read")
        elif size > self.most_bytes:
            self._refuse(f"the file has {size / MEGABYTE:.1f} MB; the most is {self.most_bytes / MEGABYTE:g} MB")
        else:
            self.problem = ""
            self._name, self._size = name[-_LONGEST_NAME:], size
            self._answer("next")

    def _add(self, content: dict[str, Any], piece: bytes) -> None:
        if not self._size:
            return
        if content.get("from") != len(self._pieces) or not piece or len(self._pieces) + len(piece) > self._size:
            self._refuse("the upload broke off; choose the file again")
            return
        self._pieces += piece
        if len(self._pieces) < self._size:
            self._answer("next")
            return
        data, self._pieces, self._size = bytes(self._pieces), bytearray(), 0
        self._answer("done")
        self._received(self._name, data)

    def _refuse(self, why: str) -> None:
        self._size, self._pieces = 0, bytearray()
        self.problem = why
        self._answer("done")

    def _answer(self, kind: str) -> None:
        """Ask for the next piece, or say that it is over. Its number tells the browser which file is meant."""
        self.send({"kind": kind, "number": self._number, "from": len(self._pieces)})


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
            canvases = counted(trace.n_canvases, "canvas")
            self.status.value = status(f"{name}: {counted(trace.n_steps, 'step')} over {canvases}")

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
