"""A published trace over HTTP, without a kernel: its page, its contents, its places, and the modules that draw them.

The page is the same few kilobytes for every trace. Its script asks for the contents and, as they are looked at, for the
places, each with the edition of the file that it is about, so that no page mixes two recordings under one name.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from html import escape
from http import HTTPStatus
from pathlib import Path
from typing import Any

from tornado.web import HTTPError, authenticated

from dgemma_viz.errors import TraceFileError
from dgemma_viz.serving.making import PAGE, Part
from dgemma_viz.serving.page_handler import PageHandler
from dgemma_viz.serving.published_traces import edition_of, published_file, shown
from dgemma_viz.serving.site import FOLDER
from dgemma_viz.serving.trace_store import ReplacedError, TraceStore
from dgemma_viz.views.page import document

STYLE = Path(__file__).parent / "static" / "published_trace.css"
_HTML, _SCRIPT = "text/html; charset=utf-8", "text/javascript; charset=utf-8"
_JSON, _BYTES = "application/json", "application/octet-stream"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
_FOR_EVER = "public, max-age=31536000, immutable"
_REPLACED = "the file was replaced meanwhile; reload the page to see what is there now"


class _TraceHandler(PageHandler):
    """Something of a published trace."""

    @property
    def traces(self) -> TraceStore:
        if self.site.traces is None:
            raise HTTPError(404)
        return self.site.traces


class TraceHandler(_TraceHandler):
    """The page of one published trace."""

    @authenticated
    async def get(self, name: str) -> None:
        """Send the page, or say that the trace is not there (any more)."""
        self.set_header("Cache-Control", "no-cache")
        try:
            published_file(self.traces.folder, name)
        except TraceFileError:
            self.set_status(HTTPStatus.NOT_FOUND)
            self.write(self.render_template("no_trace.html", trace=shown(name), theme=self.theme))
            return
        files = self.site.viewer_files
        page = _packed_page(name, self.theme, self.theme_suffix, files.page, files.plotly)
        self.set_header("Content-Security-Policy", f"{_POLICY}; {self.site.framing}")
        await self.send_packed(page, _HTML)


class _MadeHandler(_TraceHandler):
    """What is made of a trace once, and asked for again at each visit."""

    async def send_made(self, name: str, part: Part) -> None:
        """Send it, say that the asker has it already, or why there is none."""
        self.set_header("Cache-Control", "no-cache")
        try:
            edition = edition_of(self.traces.folder, name)
            if part != PAGE and self.get_query_argument("of") != edition.tag:
                self._refuse(HTTPStatus.CONFLICT, _REPLACED)
                return
            self.set_header("Etag", f'W/"{edition.tag}"')  # weak: compressed or not
            if self.check_etag_header():
                self.set_status(HTTPStatus.NOT_MODIFIED)
                return
            packed = await self.traces.packed(name, edition, part)
        except ReplacedError:
            self._refuse(HTTPStatus.CONFLICT, _REPLACED)
        except TraceFileError as error:
            there = _is_there(self.traces.folder, name)
            self._refuse(HTTPStatus.UNPROCESSABLE_ENTITY if there else HTTPStatus.NOT_FOUND, str(error))
        else:
            await self.send_packed(packed, _BYTES if isinstance(part, tuple) else _JSON)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self.clear_header("Etag")
        self.set_status(status)
        self.write({"message": shown(message)})

    def compute_etag(self) -> None:
        """None of the body: an answer has that of its file, and a refusal has none."""


class TraceContentsHandler(_MadeHandler):
    """What holds for the whole page of a trace."""

    @authenticated
    async def get(self, name: str) -> None:
        """Send it as JSON."""
        await self.send_made(name, PAGE)


class TracePartHandler(_MadeHandler):
    """What is made from all canvases of a trace, such as what the rules found: it comes after the first tokens."""

    @authenticated
    async def get(self, name: str, part: str) -> None:
        """Send it as JSON."""
        await self.send_made(name, part)


class TracePlaceHandler(_MadeHandler):
    """One canvas of one sample."""

    @authenticated
    async def get(self, name: str, canvas: str, sample: str) -> None:
        """Send its frame."""
        await self.send_made(name, (int(canvas), int(sample)))


class ViewerFileHandler(PageHandler):
    """A module of the viewer, at an address that has its content's hash and may be kept for ever."""

    def set_cookie(self, *_: Any, **__: Any) -> None:
        """Set none: caches that many share may keep the answer."""

    @authenticated
    async def get(self, name: str) -> None:
        """Send it."""
        packed = self.site.viewer_files.packed.get(name)
        if packed is None:
            raise HTTPError(404)
        self.set_header("Cache-Control", _FOR_EVER)
        await self.send_packed(packed, _SCRIPT)


@lru_cache(maxsize=200)
def _packed_page(name: str, theme: str, suffix: str, page_script: str, plotly: str) -> bytes:
    html = document(
        shown(name),
        theme=theme,
        waiting="Opening the recorded run …",
        head=f'<link rel="icon" href="data:;base64,=">\n<style>{STYLE.read_text(encoding="utf-8")}</style>',
        before=f'<nav class="dgp-home"><a href="../{escape(suffix)}">All dashboards</a></nav>',
        body=(
            f'<script type="module" id="viewer" src="../{FOLDER}/{page_script}" data-plotly="../{FOLDER}/{plotly}">'
            "</script>"
        ),
    )
    return gzip.compress(html.encode("utf-8", "replace"), 9, mtime=0)


def _is_there(folder: Path, name: str) -> bool:
    try:
        published_file(folder, name)
    except TraceFileError:
        return False
    return True
