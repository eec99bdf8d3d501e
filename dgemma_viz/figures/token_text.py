"""Token text as data: readable where it is invisible, harmless where it looks like markup.

Two steps, kept apart. :func:`display_text` makes a token's text visible (spaces, line ends, control and zero-width
characters) and short; it is for people and for any medium. :func:`escape` makes a visible text safe for Plotly, which
reads a subset of HTML, ``%{...}`` templates and ``$...$`` formulas in titles, hovers, ticks and labels.
:func:`label` does both.
"""

from __future__ import annotations

import unicodedata

from dgemma_viz.errors import SettingError

EMPTY = "∅"
CUT = "…"

_VISIBLE = {" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥", "\u00a0": "⍽", "\x7f": "␡"}
_INVISIBLE_CATEGORIES = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"}
_BLANK_LETTERS = {
    "\u034f",
    "\u115f",
    "\u1160",
    "\u17b4",
    "\u17b5",
    "\u180b",
    "\u180c",
    "\u180d",
    "\u2800",
    "\u3164",
    "\uffa0",
}
_RIGHT_TO_LEFT = {"R", "AL"}
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


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
    if max_length < 1:
        raise SettingError(f"max_length is {max_length}; it must be at least 1")
    if not text:
        return EMPTY
    pieces: list[str] = []
    length = 0
    for character in text:
        pieces.append(_visible(character))
        length += len(pieces[-1])
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
    """Visible, short, escaped; right-to-left text is isolated so that it cannot reorder what stands beside it."""
    shown = display_text(text, max_length)
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in shown):
        shown = f"{_FIRST_STRONG_ISOLATE}{shown}{_POP_ISOLATE}"
    return escape(shown)


def _visible(character: str) -> str:
    if " " < character <= "~":
        return character
    if character in _VISIBLE:
        return _VISIBLE[character]
    if character < " ":
        return chr(0x2400 + ord(character))
    if character in _BLANK_LETTERS or unicodedata.category(character) in _INVISIBLE_CATEGORIES:
        return f"⟨U+{ord(character):04X}⟩"
    return character
