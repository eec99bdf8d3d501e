"""The passage of a text in which tokens stand, as a reader would quote it: ``“… count_words(text: …”``.

Characters that were split over tokens are whole, line ends are ``↵``, white space is one space, and what is cut off is
cut at the ends of words. What is not seen is made visible; nothing is escaped, and right-to-left text is not isolated.
``static/passage.js`` does the same in the browser.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from codecs import getincrementaldecoder
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

from dgemma_viz.plain_text import CUT, seen_pieces, to_bytes

MOST = 40
"""Characters of a passage, unless more is asked for."""
_PARTS = re.compile("([ \t\r\n]+)|([^ \t\r\n]+)")
_LINE_END = "↵"
_JOINERS = "\u200d\u200c\ufe0e\ufe0f"
"""What joins emoji and letters into one; it is not made visible."""
_SKIN_TONES, _FLAG_LETTERS = range(0x1F3FB, 0x1F400), range(0x1F1E6, 0x1F200)
UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3001-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts whose words have no space between them: they are cut anywhere."""


class Passages:
    """Passages of one text.

    Parameters
    ----------
    texts
        The text of each position; parts of characters as ``surrogateescape`` has them.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        shown, self._edges = "", [0]
        for text in characters_of(texts):
            shown = _appended(shown, text)
            self._edges.append(len(shown))
        self._text = shown = shown.replace("\n", _LINE_END)
        inside = range(1, len(shown))
        free = [at for at in inside if UNSPACED.match(shown[at]) or UNSPACED.match(shown[at - 1])]
        self._begins = sorted({0, *free, *(at for at in inside if shown[at - 1] == " " and shown[at] != " ")})
        self._ends = sorted({len(shown), *free, *(at for at in inside if shown[at] == " " and shown[at - 1] != " ")})

    def at(self, positions: Collection[int], most: int = MOST) -> str:
        """The passage from the first to the last of some positions, with the words around them; empty for none."""
        if not positions or not self._text.strip():
            return ""
        begin, end = self._span(min(positions), max(positions))
        if end - begin > most:
            half = most // 2
            first = max(self._cut(begin + half), begin + half // 2)
            last = min(self._cut_on(end - half, end), end - half // 2)
            return self._quoted(
                begin, f"{_trimmed(self._text[begin:first])} {CUT} {_trimmed(self._text[last:end])}", end
            )
        begin = self._cut_on(end - (most + end - begin) // 2, begin)
        end = max(end, self._cut(begin + most))
        return self._quoted(begin, _trimmed(self._text[begin:end]), end)

    def word(self, position: int) -> str:
        """The word that a position is in, without what stands around it; empty where it has no text."""
        if self._edges[position] == self._edges[position + 1]:
            return ""
        begin, end = self._span(position, position)
        while begin < end - 1 and self._text[begin] in f" {_LINE_END}":
            begin += 1
        found = bisect_right(self._begins, begin)
        begin = self._begins[found - 1] if found else begin
        end = self._ends[min(bisect_left(self._ends, end), len(self._ends) - 1)]
        return _trimmed(self._text[begin:end])

    def _cut(self, at: int) -> int:
        """The last end of a word up to a place; 0 if there is none."""
        found = bisect_right(self._ends, at)
        return self._ends[found - 1] if found else 0

    def _cut_on(self, at: int, latest: int) -> int:
        """The first beginning of a word from a place on, or the latest that is wanted."""
        found = bisect_left(self._begins, max(0, at))
        return min(latest, self._begins[found]) if found < len(self._begins) else latest

    def _span(self, first: int, last: int) -> tuple[int, int]:
        """Where positions begin and end in the text; at least one character, and no part of one."""
        text = self._text
        begin = min(self._edges[first], len(text) - 1)
        end = max(self._edges[last + 1], begin + 1)
        while begin > 0 and goes_on(text, begin):
            begin -= 1
        while end < len(text) and goes_on(text, end):
            end += 1
        return begin, end

    def _quoted(self, begin: int, words: str, end: int) -> str:
        before = f"{CUT} " if self._text[:begin].strip() else ""
        after = f" {CUT}" if self._text[end:].strip() else ""
        return f"“{before}{words}{after}”"


def _trimmed(words: str) -> str:
    return words.strip(f" {_LINE_END}") or words.strip()


def passage(texts: Iterable[str], positions: Collection[int], most: int = MOST) -> str:
    """:meth:`Passages.at` of a text that only one passage is taken from."""
    return Passages(texts).at(positions, most)


def decoded(texts: Iterable[str]) -> list[str]:
    """The texts with bytes of one character joined where the last of them stands; those that are none stay."""
    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    whole = [decoder.decode(to_bytes(text)) for text in texts]
    if whole:
        whole[-1] += decoder.decode(b"", final=True)
    return whole


def characters_of(texts: Iterable[str]) -> list[str]:
    """The texts with whole characters: one that several tokens hold parts of stands in one of them.

    Parts are bytes, which are decoded where the last of them stands, or code points that go on with the one before
    (a family is up to seven). Bytes that are no character stay, as ``surrogateescape`` has them.
    """
    whole = decoded(texts)
    last = -1
    for place, text in enumerate(whole):
        if last >= 0 and text:
            end = whole[last]
            taken = 0
            while taken < len(text) and goes_on(f"{end[-1]}{text[taken]}", 1):
                end += text[taken]
                taken += 1
            whole[last], whole[place] = end, text[taken:]
        if whole[place]:
            last = place
    return whole


def whole_words(texts: Sequence[str], marked: Sequence[bool]) -> list[bool]:
    """The same marks, reaching over whole words: a word of several tokens is marked if one of them is."""
    words = [0]
    for before, after in pairwise(texts):
        words.append(words[-1] + (not _same_word(before, after)))
    changed = {word for word, one in zip(words, marked, strict=True) if one}
    return [word in changed for word in words]


def _same_word(before: str, after: str) -> bool:
    if not before or not after:
        return True
    if _is_part(before[-1]) and _is_part(after[0]):
        return True
    return all(_is_letter(one) for one in (before[-1], after[0])) or goes_on(f"{before[-1]}{after[0]}", 1)


def _is_letter(character: str) -> bool:
    return (character == "_" or unicodedata.category(character)[0] in "LMN") and not UNSPACED.match(character)


def _is_part(character: str) -> bool:
    """Whether it stands for a byte that is no character by itself (``surrogateescape``)."""
    return "\udc80" <= character <= "\udcff"


def goes_on(text: str, at: int) -> bool:
    """Whether a character goes on with the one before it."""
    here, before = text[at], text[at - 1]
    mark = unicodedata.category(here).startswith("M") or here in _JOINERS or ord(here) in _SKIN_TONES
    return mark or before == "\u200d" or (ord(here) in _FLAG_LETTERS and ord(before) in _FLAG_LETTERS)


def _appended(line: str, text: str) -> str:
    """More text on a line: made visible, with white space, which may go on over several tokens, as one space."""
    for blank, words in _PARTS.findall(text):
        if words:
            line += "".join(seen_pieces(words, _JOINERS))
        else:
            rest = line.removesuffix(" ").removesuffix(" \n")
            line = f"{rest} \n " if "\n" in line[len(rest) :] + blank else f"{rest} "
    return line
