"""Token text as data: readable where it is invisible, harmless where it looks like markup.

Two steps, kept apart. :func:`display_text` makes a token's text visible (spaces, line ends, control and zero-width
characters) and short; it is for people and for any medium. :func:`escape` makes a visible text safe for Plotly, which
reads a subset of HTML, ``%{...}`` templates and ``$...$`` formulas in titles, hovers, ticks and labels.
:func:`label` does both to a token, :func:`name_label` to what is no token: a way, a sampler, a run.
"""

from __future__ import annotations

import unicodedata

from dgemma_viz.passage import Passages
from dgemma_viz.plain_text import CUT, isolated, seen, seen_pieces, visible
from dgemma_viz.range_check import checked_range

EMPTY = "∅"
_SHORT = 24
"""Characters of a passage that stands in a line with other words."""


def display_text(text: str, max_length: int = 40) -> str:
    """Text of a token as a reader can see it. NOT escaped for HTML.

    Spaces become ``␣``, line ends ``↵``, tabs ``⇥``, an empty text ``∅``; control, zero-width and text-direction
    characters become their control picture or ``⟨U+200B⟩``; a leading combining mark gets a dotted circle to sit on.
    Too long a text is cut and ends in ``…``.

    Parameters
    ----------
    text
        Token text as in :meth:`dgemma_viz.trace.model.Trace.token_text`.
    max_length
        Most characters of the result, at least 1.
    """
    checked_range("max_length", max_length, 1, whole=True)
    if not text:
        return EMPTY
    if len(text) <= max_length and text.isascii() and text.isprintable():  # nearly all; a canvas has thousands
        return text.replace(" ", seen(" "))
    pieces: list[str] = []
    length = 0
    for piece in seen_pieces(text):
        pieces.append(piece)
        length += len(piece)
        if length > max_length:
            break
    if unicodedata.category(text[0]).startswith("M") and not pieces[0].startswith("⟨"):
        pieces.insert(0, "◌")
        length += 1
    if length <= max_length:
        return "".join(pieces)
    while length > max_length - len(CUT):
        length -= len(pieces.pop())
    return "".join([*pieces, CUT])


def escape(text: str) -> str:
    """Make visible text safe inside Plotly's titles, hovers, ticks and labels (and inside HTML text)."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("%{", "&#37;{").replace("$", "&#36;")


def label(text: str, max_length: int = 40) -> str:
    """A token's text: visible, short, escaped; right-to-left text is isolated so that it reorders nothing beside it."""
    return escape(isolated(display_text(text, max_length)))


def passage_label(text: Passages, position: int) -> list[str]:
    """The short passage of a position, escaped, as the only entry of a list; none where it has no text."""
    return [escape(isolated(text.at([position], _SHORT)))] if text.word(position) else []


def name_label(text: object, max_length: int = 48) -> str:
    """The same for a name, whose spaces stay."""
    return escape(isolated(" ".join(visible(text, max_length).split())))
