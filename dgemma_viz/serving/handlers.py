"""What the server answers: the gallery, the dashboards, and how a session stands. Published traces are apart.

Voila renders and runs the notebooks. Its handlers for folders and files are not used, so that a visitor reaches the
published names and no path.
"""

from __future__ import annotations

import asyncio
import re
from urllib.parse import quote

from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated
from voila.handler import VoilaHandler
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler

from dgemma_viz.serving.page_handler import PageHandler
from dgemma_viz.serving.published_traces import list_traces, shown
from dgemma_viz.serving.sessions import ALL_YOURS, visitor_at
from dgemma_viz.serving.settings import THEMES

_RETRY_SECONDS = 10
_KERNEL_ID = re.compile(r'"kernelId": "([\w-]+)"')
"""In the page's configuration, from which its own scripts read it."""


class NotFoundHandler(PageHandler):
    """Every other address."""

    async def prepare(self) -> None:
        """Say that there is nothing."""
        await super().prepare()
        raise HTTPError(404)


class GalleryHandler(PageHandler):
    """All dashboards and published traces, as cards."""

    @authenticated
    async def get(self) -> None:
        """Send the page."""
        published = self.site.traces
        cards = await asyncio.to_thread(list_traces, published.folder) if published else None
        dashboards = list(self.site.dashboards.values())
        self.set_header("Cache-Control", "no-cache")
        page = self.render_template(
            "gallery.html",
            theme=self.theme,
            other_theme=THEMES[1 - THEMES.index(self.theme)],
            groups=[
                ("The course", [entry for entry in dashboards if entry.in_course]),
                ("Labs", [entry for entry in dashboards if not entry.in_course]),
            ],
            traces=cards,
            shown=shown,
            address=lambda kind, name: url_path_join(self.base_url, kind, quote(name, safe="")) + self.theme_suffix,
        )
        self.write(page)


class DashboardHandler(PageHandler, VoilaHandler):  # type: ignore[misc]
    """One dashboard, if there is a place for one more kernel; without a name in the address, the only dashboard."""

    @authenticated
    async def get(self, name: str | None = None) -> None:
        """Send the page, cell by cell."""
        name = name or next(iter(self.site.dashboards))
        if (stem := name.removesuffix(".ipynb")) != name and stem in self.site.dashboards:
            self.redirect(quote(stem, safe=""))  # notebooks link to each other as files, as they are in JupyterLab
            return
        if name not in self.site.dashboards:
            raise HTTPError(404)
        await self._send_page(f"{name}.ipynb")

    async def _send_page(self, notebook: str) -> None:
        """Render a notebook, cell by cell as they finish; or ask to wait."""
        sessions = self.kernel_manager
        visitor = visitor_at(self.request.remote_ip)
        if reason := sessions.admit(visitor):
            self._send_wait(reason)
            return
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


class GoodbyeHandler(VoilaShutdownKernelHandler):  # type: ignore[misc]
    """A page that is left says so, and its kernel ends."""

    def check_xsrf_cookie(self) -> None:
        """Ask for no cookie: in a frame of another site there is none, and only the page knows its kernel's id."""
        if not self.check_origin():
            raise HTTPError(403)


class SessionHandler(PageHandler):
    """How a session stands, for its page to ask now and then."""

    @authenticated
    async def get(self, kernel_id: str) -> None:
        """Send ``{"state": ...}``."""
        self.set_header("Cache-Control", "no-store")
        self.write({"state": await self.kernel_manager.state(kernel_id)})
