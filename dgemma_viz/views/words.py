"""The glossary on the page: a word that opens its meaning, and the list of all of them."""

from __future__ import annotations

from html import escape
from itertools import count

from dgemma_viz.glossary import WORDS, Word, explain

_NUMBERS = count()
"""The same word stands on a page several times, and each of them opens a meaning of its own."""


def term(name: str, word: str | None = None) -> str:
    """HTML of a term that opens its meaning when it is pressed; by the browser alone, so it needs no kernel.

    Parameters
    ----------
    name
        What is shown.
    word
        The glossary's word for it, if it has another name; one that the glossary does not have is shown plainly.
    """
    try:
        entry = explain(word or name)
    except KeyError:
        return escape(name)
    place = f"dgx-word{next(_NUMBERS)}"
    return (
        f"<button type='button' class='dgx-word' popovertarget='{place}'>{escape(name)}</button>"
        f"<span popover id='{place}' class='dgx-meaning'>"
        f"<b>{escape(entry.name)}</b>: {escape(entry.meaning)}{_source(entry)}</span>"
    )


def glossary_html() -> str:
    """All words with their meanings, folded away."""
    rows = "".join(
        f"<div><dt>{escape(word.name)}</dt><dd>{escape(word.meaning)}{_source(word)}</dd></div>" for word in WORDS
    )
    return f"<details class='dgx-words'><summary>Words used here</summary><dl>{rows}</dl></details>"


def _source(word: Word) -> str:
    if not word.address:
        return ""
    elsewhere = f"href='{escape(word.address)}' target='_blank' rel='noopener noreferrer'"
    return f" (<a class='dgx-source' {elsewhere}>{escape(word.source)}</a>)"
