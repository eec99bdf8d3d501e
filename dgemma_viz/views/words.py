"""The glossary on the page: a word that opens its meaning, and the list of all of them."""

from __future__ import annotations

from itertools import count

from dgemma_viz.glossary import WORDS, Word, explain
from dgemma_viz.markup import Markup, markup, tag

_NUMBERS = count()
"""The same word stands on a page several times, and each of them opens a meaning of its own."""


def term(name: str, word: str | None = None) -> Markup:
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
        return markup(name)
    place = f"dgx-word{next(_NUMBERS)}"
    button = tag("button", name, type="button", class_="dgx-word", popovertarget=place)
    return markup(button, tag("span", _meaning(entry), popover=True, id=place, class_="dgx-meaning"))


def glossary_html() -> Markup:
    """All words with their meanings, folded away."""
    rows = (tag("div", tag("dt", word.name), tag("dd", word.meaning, _source(word))) for word in WORDS)
    return tag("details", tag("summary", "Words used here"), tag("dl", rows), class_="dgx-words")


def _meaning(word: Word) -> Markup:
    return markup(tag("b", word.name), f": {word.meaning}", _source(word))


def _source(word: Word) -> Markup:
    if not word.address:
        return markup()
    elsewhere = {"href": word.address, "target": "_blank", "rel": "noopener noreferrer"}
    return markup(" (", tag("a", word.source, class_="dgx-source", **elsewhere), ")")
