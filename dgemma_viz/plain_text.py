"""Texts that came from a model or a file, made fit to be looked at: what is unseen, or steers, becomes visible.

Tokens, prompts, file names and facts may hold anything: characters that clear a terminal, turn the order of a line
around, pile up over the line above, or are not seen at all. Nothing here is HTML; whoever writes HTML escapes besides.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

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
_JOINERS = "\u200c\u200d"
_JOINED = {"So", "Sk", "Lo", "Mn", "Mc"}
"""Categories of signs, and of letters without case: those of Arabic and of the scripts of India."""
_MARKS = {"Mn", "Me"}
_MOST_MARKS = 4
"""On one letter; no script that is written needs more."""
_MOST_SHOWN = 6000

NO_FORMULAS = "mathjax_ignore"
"""Class of an HTML element in which JupyterLab leaves ``$...$`` as it is."""

_HALF_PAIR = re.compile("[\ud800-\udfff]")
_LONE_BYTE = range(0xDC80, 0xDD00)
"""Code points that Python's ``surrogateescape`` has for bytes that are no character by themselves."""
_RIGHT_TO_LEFT = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff"
_RIGHT_TO_LEFT_RUN = re.compile(f"[{_RIGHT_TO_LEFT}](?:[^A-Za-z'\"\n]*[{_RIGHT_TO_LEFT}])?")
_FIRST_STRONG_ISOLATE, _POP_ISOLATE = "\u2068", "\u2069"


def seen(character: str) -> str:
    """One character as a reader can see it: itself, ``␣``, ``↵``, a control picture, ``⟨U+200B⟩``, a byte ``⟨E3⟩``."""
    if " " < character <= "~":
        return character
    if character in _VISIBLE:
        return _VISIBLE[character]
    if ord(character) in _LONE_BYTE:
        return f"⟨{ord(character) - 0xDC00:02X}⟩"
    if character < " ":
        return chr(0x2400 + ord(character))
    if character in _BLANK_LETTERS or unicodedata.category(character) in _INVISIBLE_CATEGORIES:
        return _code_point(character)
    return character


def seen_pieces(text: str, kept: str = "", *, joining: bool = False) -> Iterator[str]:
    """Each character as :func:`seen`, those of ``kept`` as they are; too many marks on one letter as code points.

    With ``joining``, what joins two signs of a family, or two letters of a script that is joined, stays unseen: of a
    text, not of a token.
    """
    marks = 0
    for place, character in enumerate(text):
        joins = (
            joining and character in _JOINERS and place > 0 and _is_joined(text[place - 1], text[place + 1 : place + 2])
        )
        piece = character if character in kept or joins else seen(character)
        marks = marks + 1 if piece == character and unicodedata.category(character) in _MARKS else 0
        yield piece if marks <= _MOST_MARKS else _code_point(character)


def visible(text: object, most: int = _MOST_SHOWN) -> str:
    """Text with nothing unseen in it but spaces and line ends, at most so many characters long."""
    whole = str(text)
    shown = "".join(seen_pieces(whole[: most + 1], " \n", joining=True))
    return shown if len(shown) <= most else f"{shown[: most - 1]}{CUT}"


def isolated(text: str) -> str:
    """The same with each right-to-left run apart, so that it cannot reorder what stands beside it."""
    return _RIGHT_TO_LEFT_RUN.sub(rf"{_FIRST_STRONG_ISOLATE}\g<0>{_POP_ISOLATE}", text)


def printable(text: str, kept: str = "\n") -> str:
    """Text for a terminal or a log: what is not printable as Python would write it, but for what is ``kept``."""
    return "".join(c if c in kept or c.isprintable() else repr(c)[1:-1] for c in text)


def half_pairs(text: str) -> list[str]:
    """Halves of surrogate pairs, each once: what no encoding can write, nor any tokenizer read."""
    return list(dict.fromkeys(_HALF_PAIR.findall(text)))


def whole_characters(text: str) -> str:
    """The text with replacement characters in place of :func:`half_pairs`."""
    return _HALF_PAIR.sub("\ufffd", text)


def to_bytes(text: str) -> bytes:
    """A token's text as UTF-8; bytes that are no character by themselves (``surrogateescape``) as they are."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # other halves of surrogate pairs
        return whole_characters(text).encode()


def from_bytes(data: bytes) -> str:
    """The text of a token; bytes that are no character by themselves stay, as Python's ``surrogateescape`` has them."""
    return data.decode("utf-8", "surrogateescape")


def joined(texts: Iterable[str]) -> str:
    """Texts of tokens one after the other: characters that were split over tokens are whole again."""
    return b"".join(map(to_bytes, texts)).decode("utf-8", "replace")


def _is_joined(before: str, after: str) -> bool:
    """Whether both are such as a joiner stands between: not of ASCII, and seen."""
    return all(
        one > "\x7f" and (unicodedata.category(one) in _JOINED or one == "\ufe0f") for one in (before, after or " ")
    )


def _code_point(character: str) -> str:
    return f"⟨U+{ord(character):04X}⟩"
