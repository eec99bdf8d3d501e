"""One-line messages of a panel as HTML: what goes on, and what went wrong. Texts are escaped here."""

from __future__ import annotations

from dgemma_viz.markup import tag
from dgemma_viz.views.run_header import readable

_WRAP = "line-height:1.5;overflow-wrap:anywhere;max-height:12em;overflow:auto"
"""A message may quote a prompt without a space in it, of any length."""
_ALERT = f"padding:.55rem .8rem;border-left:4px solid #b3261e;background:rgba(179,38,30,.1);border-radius:2px;{_WRAP}"


def status(message: str) -> str:
    """What goes on; announced when the reader is idle."""
    return str(tag("div", readable(message), role="status", aria_live="polite", style=f"margin:.5rem 0;{_WRAP}"))


def alert(message: str) -> str:
    """What went wrong; announced at once."""
    return str(tag("div", readable(message), role="alert", style=_ALERT))
