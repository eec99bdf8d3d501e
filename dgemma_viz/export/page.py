"""The exported page: one HTML file that asks for nothing, neither a server nor a network.

Plotly, the viewer, the contents and each place stand in it compressed (gzip) as base64, in script elements that no
browser runs; the loader unpacks them with the browser's own DecompressionStream, a place when it is looked at. Base64
has neither ``<`` nor quotes, so nothing in a trace can end its element or be read as markup. The
Content-Security-Policy allows no request at all, and no script but the loader, named by its hash, and what the loader
itself unpacks: an event handler in a text that slipped through would not run either.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from functools import cache
from pathlib import Path

from dgemma_viz.views.contents import Contents
from dgemma_viz.views.page import WRITTEN_BY, document, page_json, page_module
from dgemma_viz.views.plotly_module import plotly_module

STATIC = Path(__file__).parent / "static"


def page_html(contents: Contents) -> str:
    """The whole file."""
    footer = f"Written by {WRITTEN_BY}. This file holds the whole recording and asks for nothing."
    loader = (STATIC / "loader.js").read_text(encoding="utf-8")
    packed = {
        "viewer": _packed(page_module().encode()),
        "contents": _packed(page_json(contents.whole_page(), footer)),
        **{f"place-{canvas}-{sample}": _packed(contents.place(canvas, sample)) for canvas, sample in contents.places()},
        "plotly": _packed_plotly(),
    }
    elements = "\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in packed.items())
    return document(
        contents.page["title"],
        waiting="Unpacking the recorded run …",
        head=f'<meta http-equiv="Content-Security-Policy" content="{_policy(loader)}">',
        body=f"{elements}\n<script>{loader}</script>",
    )


def _policy(loader: str) -> str:
    digest = base64.b64encode(hashlib.sha256(loader.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode("ascii")


@cache
def _packed_plotly() -> str:
    return base64.b64encode(plotly_module(effort=9)).decode("ascii")
