"""What the server answers: the gallery, the dashboards, the published traces, and how a session stands. Nothing else.

Voila renders and runs the notebooks. Its handlers for folders and files are not used, so that a visitor reaches the
published names and no path.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_server.services.contents.filemanager import AsyncFileContentsManager
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated
from voila.handler import BaseVoilaHandler, VoilaHandler

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.serving.published_traces import list_traces, published_file
from dgemma_viz.serving.sessions import ALL_YOURS, visitor_at

if TYPE_CHECKING:
    from dgemma_viz.serving.dashboards import Dashboard

THEMES = ("light", "dark")
_OWN_PAGES = Path(__file__).parent / "pages"
_TRACE_NOTEBOOK = "trace.ipynb"
_RETRY_SECONDS = 10
_LONGEST_SHOWN = 300
_KERNEL_ID = re.compile(r'"kernelId": "([\w-]+)"')
"""In the page's configuration, from which its own scripts read it."""


@dataclass(frozen=True)
class Site:
    """What is published.

    Attributes
    ----------
    dashboards
        By name.
    traces
        Folder of published traces, or None.
    """

    dashboards: dict[str, Dashboard]
    traces: Path | None


def _shown(text: str) -> str:
    """A title or a name of a file; NOT escaped, which the templates see to."""
    return isolated(visible(text, _LONGEST_SHOWN))


class _Page(BaseVoilaHandler):  # type: ignore[misc]
    """A page of ours: its theme is one of two, whatever the address says."""

    def initialize(self, **options: Any) -> None:
        super().initialize(**options)
        self.site: Site = options["site"]

    async def prepare(self) -> None:
        """Refuse an unknown theme, once it is known who asks: Jupyter's error page needs to know."""
        await super().prepare()
        if self.get_query_argument("theme", None) not in (None, *THEMES):
            raise HTTPError(400, "there are the themes light and dark")

    @property
    def theme(self) -> str:
        return str(self.get_query_argument("theme", None) or self.voila_configuration.theme)


class NotFoundHandler(_Page):
    """Every other address."""

    async def prepare(self) -> None:
        """Say that there is nothing."""
        await super().prepare()
        raise HTTPError(404)


class GalleryHandler(_Page):
    """All dashboards and published traces, as cards."""

    @authenticated
    async def get(self) -> None:
        """Send the page."""
        folder = self.site.traces
        cards = await asyncio.to_thread(list_traces, folder) if folder else []
        dashboards = list(self.site.dashboards.values())
        suffix = "" if self.theme == self.voila_configuration.theme else f"?theme={self.theme}"
        self.set_header("Cache-Control", "no-cache")
        page = self.render_template(
            "gallery.html",
            theme=self.theme,
            other_theme=THEMES[1 - THEMES.index(self.theme)],
            groups=[
                ("The course", [entry for entry in dashboards if entry.in_course]),
                ("Labs", [entry for entry in dashboards if not entry.in_course]),
            ],
            traces=cards if folder else None,
            shown=_shown,
            address=lambda kind, name: url_path_join(self.base_url, kind, quote(name, safe="")) + suffix,
        )
        self.write(page)


class _KernelPage(_Page, VoilaHandler):  # type: ignore[misc]
    """A page with a kernel behind it, if there is a place for one more."""

    async def send_page(self, notebook: str) -> None:
        """Render a notebook, cell by cell as they finish; or ask to wait."""
        sessions = self.kernel_manager
        visitor = visitor_at(self.request.remote_ip)
        if reason := sessions.admit(visitor):
            self._send_wait(reason)
            return
        # Reading the token sets its cookie. Without it, Voila's own request to shut the kernel down, which a page sends
        # when it is left, is refused on a first visit, and the kernel stays.
        _ = self.xsrf_token
        kernel_id = None
        try:
            async for snippet in self.get_generator(path=notebook):
                if kernel_id is None and (found := _KERNEL_ID.search(snippet)):
                    kernel_id = found[1]
                    sessions.arrived(visitor, kernel_id)
                self.write(snippet)
                self.flush()
        finally:
            if kernel_id is None:
                sessions.arrived(visitor, None)

    def _send_wait(self, reason: str) -> None:
        self.set_status(503)
        self.set_header("Retry-After", str(_RETRY_SECONDS))  # for programs
        self.set_header("Refresh", str(_RETRY_SECONDS))  # for browsers
        most = self.kernel_manager.most_sessions_per_visitor if reason == ALL_YOURS else None
        self.write(self.render_template("full.html", seconds=_RETRY_SECONDS, most=most, theme=self.theme))


class DashboardHandler(_KernelPage):
    """One dashboard; without a name in the address, the only one."""

    @authenticated
    async def get(self, name: str | None = None) -> None:
        """Send the page, cell by cell."""
        name = name or next(iter(self.site.dashboards))
        if (stem := name.removesuffix(".ipynb")) != name and stem in self.site.dashboards:
            self.redirect(quote(stem, safe=""))  # notebooks link to each other as files, as they are in JupyterLab
            return
        if name not in self.site.dashboards:
            raise HTTPError(404)
        await self.send_page(f"{name}.ipynb")


class TraceHandler(_KernelPage):
    """One published trace, in a kernel without a model."""

    @property
    def contents_manager(self) -> AsyncFileContentsManager:
        """Where Voila reads the notebook: in the package, whatever folder the server publishes."""
        return AsyncFileContentsManager(root_dir=str(_OWN_PAGES))

    @authenticated
    async def get(self, name: str) -> None:
        """Send the page, or say that the trace is not there (any more)."""
        if self.site.traces is None:
            raise HTTPError(404)
        try:
            published_file(self.site.traces, name)
        except DgemmaVizError:
            self.set_status(404)
            self.write(self.render_template("no_trace.html", trace=_shown(name), theme=self.theme))
            return
        await self.send_page(_TRACE_NOTEBOOK)


class SessionHandler(_Page):
    """How a session stands, for its page to ask now and then."""

    @authenticated
    async def get(self, kernel_id: str) -> None:
        """Send ``{"state": ...}``."""
        self.set_header("Cache-Control", "no-store")
        self.write({"state": await self.kernel_manager.state(kernel_id)})
