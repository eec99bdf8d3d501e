"""What every page of the server has in common: its theme, and how compressed bytes are sent."""

from __future__ import annotations

import asyncio
import gzip
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError
from voila.handler import BaseVoilaHandler

from dgemma_viz.serving.settings import THEMES
from dgemma_viz.serving.site import Site


class PageHandler(BaseVoilaHandler):  # type: ignore[misc]
    """A page of ours: its theme is one of two, whatever the address says."""

    def initialize(self, **options: Any) -> None:
        """Take what the server hands to its handlers."""
        super().initialize(**options)
        self.site: Site = options["site"]

    async def prepare(self) -> None:
        """Refuse an unknown theme, once it is known who asks: Jupyter's error page needs to know."""
        await super().prepare()
        if self.get_query_argument("theme", None) not in (None, *THEMES):
            raise HTTPError(400, "there are the themes light and dark")

    @property
    def theme(self) -> str:
        """``"light"`` or ``"dark"``."""
        return str(self.get_query_argument("theme", None) or self.voila_configuration.theme)

    @property
    def theme_suffix(self) -> str:
        """What an address of ours ends with, so that the page there has this theme, too."""
        return "" if self.theme == self.voila_configuration.theme else f"?theme={self.theme}"

    async def send_packed(self, packed: bytes, kind: str) -> None:
        """Send what is compressed (gzip) already, of a media type.

        The headers go first and apart, so that Tornado copies nothing: all visitors are sent the same bytes.
        """
        self.set_header("Content-Type", kind)
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
        else:
            packed = await asyncio.to_thread(gzip.decompress, packed)
        self.set_header("Content-Length", str(len(packed)))
        with suppress(StreamClosedError):  # the visitor has left
            await self.flush()
            self.write(packed)
            await self.finish()
