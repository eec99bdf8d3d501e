"""The exported page: one HTML file that asks for nothing, neither a server nor a network.

Plotly, the contents and the records stand in it compressed (gzip) as base64, in script elements that no browser runs;
the loader unpacks them with the browser's own DecompressionStream. Base64 has neither ``<`` nor quotes, so nothing in a
trace can end its element or be read as markup. The Content-Security-Policy allows no request at all, and no script but
the loader, named by its hash, and what the loader itself unpacks: an event handler in a text that slipped through would
not run either.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import plotly

import dgemma_viz
from dgemma_viz.widgets.esm import joined_module, style_sheet

STATIC = Path(__file__).parent / "static"

_WIDGET_STYLES = ("token_canvas.css", "findings_list.css", "explorer.css", "words.css", "comparison.css")
_MODULES = {"canvas": "token_canvas.js", "findings": "findings_list.js", "page": "page.js"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="dgemma_viz">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main id="page"><p id="status" role="status">Unpacking the recorded run …</p></main>
<noscript><p>This page shows a recorded run with JavaScript, which is switched off here.</p></noscript>
{packed}
<script>{loader}</script>
</body>
</html>
"""


def page_html(contents: dict[str, Any], records: bytes) -> str:
    """The whole file: contents and records from :mod:`.explored` or :mod:`.compared`."""
    modules = {name: joined_module(entry, STATIC) for name, entry in _MODULES.items()}
    body = json.dumps(
        {"modules": modules, "version": dgemma_viz.__version__, **contents}, allow_nan=False, separators=(",", ":")
    )
    packed = {"plotly": _packed_plotly(), "contents": _packed(body.encode()), "records": _packed(records)}
    loader = (STATIC / "loader.js").read_text(encoding="utf-8")
    return _PAGE.format(
        policy=_policy(loader),
        title=escape(f"{contents['title']} · dgemma_viz"),
        style="\n".join([*map(style_sheet, _WIDGET_STYLES), (STATIC / "page.css").read_text(encoding="utf-8")]),
        packed="\n".join(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in packed.items()),
        loader=loader,
    )


def _policy(loader: str) -> str:
    digest = base64.b64encode(hashlib.sha256(loader.encode()).digest()).decode()
    return (
        f"default-src 'none'; script-src 'sha256-{digest}' blob:; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _packed(data: bytes, effort: int = 6) -> str:
    """``effort`` is gzip's, up to 9."""
    return base64.b64encode(gzip.compress(data, effort, mtime=0)).decode("ascii")


@cache
def _packed_plotly() -> str:
    path = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    return _packed(path.read_bytes(), effort=9)
