"""A page of our own around the viewer, as HTML text: what the file and the server have in common."""

from __future__ import annotations

from html import escape
from typing import Any

import dgemma_viz
from dgemma_viz.views.charts import LAYOUTS, QUANTITIES, SHOWS
from dgemma_viz.views.contents import to_json
from dgemma_viz.views.modules import VIEWER_STYLES, joined_module, style_sheets

CHOICES = {"quantity": QUANTITIES, "shows": SHOWS, "token_layout": LAYOUTS}
"""Words that the address of a place may hold."""

_DOCUMENT = """<!doctype html>
<html lang="en"{attributes}>
<head>
<meta charset="utf-8">
{head}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="dgemma_viz">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{before}
<main id="page"><p id="status" role="status">{waiting}</p></main>
<noscript><p>This page shows a recorded run with JavaScript, which is switched off here.</p></noscript>
{body}
</body>
</html>
"""


def document(title: str, *, waiting: str, body: str, head: str = "", before: str = "", theme: str = "") -> str:
    """The whole page.

    Parameters
    ----------
    title, waiting
        Of the window; and what stands on the page until the viewer does. NOT escaped yet.
    body, head, before
        HTML of the host: its scripts, what must stand first in the head, and what stands above the run.
    theme
        ``"light"`` or ``"dark"``; empty: as the reader's system wants it.
    """
    return _DOCUMENT.format(
        attributes=f' data-theme="{theme}"' if theme else "",
        head=head,
        before=before,
        title=escape(f"{title} · dgemma_viz"),
        style=style_sheets(*VIEWER_STYLES, "page.css"),
        waiting=escape(waiting),
        body=body,
    )


def page_module() -> str:
    """The ES module that starts the viewer on such a page."""
    return joined_module("page.js")


def page_json(page: dict[str, Any], footer: str) -> bytes:
    """The contents of the page, with what only a page of our own needs."""
    return to_json({**page, "choices": CHOICES, "footer": footer})


WRITTEN_BY = f"dgemma_viz {dgemma_viz.__version__}"
