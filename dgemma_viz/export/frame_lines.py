"""Lines of text for frames: cut into pieces, broken where they are full, and put in the order in which they are read.

Right-to-left text follows the main rule of the Unicode bidirectional algorithm, and no more of it: a line begins at the
side of its first letter, runs of one direction keep it, and what has none goes with what stands on both its sides, else
with the line.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from dgemma_viz.export.frame_fonts import Fonts
from dgemma_viz.passage import UNSPACED, goes_on

_WORDS = re.compile(r"\n| +|[^ \n]+")


class Piece(NamedTuple):
    """Letters of one token, one font and one direction, between which no line breaks.

    ``side`` is 1 where they run to the right, -1 to the left, 0 where they have no direction of their own.
    """

    text: str
    position: int
    font: int
    side: int


@dataclass(frozen=True)
class Placed:
    """A text on its line: from ``x``, and the ``(position, begin, end)`` of the tokens in it, in pixels."""

    text: str
    x: float
    font: int
    rtl: bool
    parts: tuple[tuple[int, float, float], ...]


def pieces_of(text: str, position: int, fonts: Fonts) -> Iterator[Piece]:
    """The pieces of a token's text; a line end is a piece of its own."""
    for word in _WORDS.findall(text):
        if word == "\n":
            yield Piece(word, position, 0, 0)
            continue
        told = [(cluster, fonts.of(cluster), _side(cluster)) for cluster in _clusters(word)]
        for (font, side, _), group in groupby(enumerate(told), key=_kind):
            yield Piece("".join(cluster for _, (cluster, _, _) in group), position, font, side)


def _kind(told: tuple[int, tuple[str, int, int]]) -> tuple[int, int, int]:
    """Font, direction, and a number of its own for what stands alone: a picture, or a letter of an unspaced script."""
    number, (cluster, font, side) = told
    return font, side, number if font < 0 or UNSPACED.match(cluster) else -1


def _clusters(word: str) -> Iterator[str]:
    """What is one character to a reader."""
    begin = 0
    for at in range(1, len(word) + 1):
        if at == len(word) or not goes_on(word, at):
            yield word[begin:at]
            begin = at


def _side(cluster: str) -> int:
    kind = unicodedata.bidirectional(cluster[0])
    return -1 if kind in ("R", "AL") else 1 if kind in ("L", "EN", "AN") else 0


def lines_of(pieces: Sequence[Piece], width: int, fonts: Fonts) -> list[list[Placed]]:
    """All lines; at least one."""
    found: list[list[Placed]] = []
    paragraph: list[Piece] = []
    for piece in [*pieces, Piece("\n", 0, 0, 0)]:
        if piece.text != "\n":
            paragraph.append(piece)
            continue
        base = next((one.side for one in paragraph if one.side and not one.text.isdecimal()), 1)
        found += [_placed(line, base, width, fonts) for line in _broken(paragraph, width, fonts)]
        paragraph = []
    return found


def _broken(paragraph: list[Piece], width: int, fonts: Fonts) -> Iterator[list[Piece]]:
    """The lines of a paragraph, broken at spaces and between letters of unspaced scripts; else anywhere."""
    line: list[Piece] = []
    used = 0.0
    for piece in _fitting(paragraph, width, fonts):
        wide = fonts.width(piece.text, piece.font)
        if line and used + wide > width and not piece.text.isspace():
            kept = _last_break(line)
            yield line[:kept]
            line = line[kept:]
            used = sum(fonts.width(one.text, one.font) for one in line)
        line.append(piece)
        used += wide
    yield line


def _fitting(paragraph: list[Piece], width: int, fonts: Fonts) -> Iterator[Piece]:
    """The same pieces, those wider than a line cut up."""
    for piece in paragraph:
        if fonts.width(piece.text, piece.font) <= width:
            yield piece
        else:
            yield from (piece._replace(text=cluster) for cluster in _clusters(piece.text))


def _last_break(line: list[Piece]) -> int:
    """How many pieces stay on a full line."""
    for number in range(len(line), 0, -1):
        last = line[number - 1]
        if last.text.isspace() or last.font < 0 or UNSPACED.match(last.text[-1]):
            return number
    return len(line)


def _placed(line: list[Piece], base: int, width: int, fonts: Fonts) -> list[Placed]:
    runs = [(side, list(group)) for side, group in groupby(_resolved(line, base), key=lambda one: one.side)]
    pieces = [
        placed
        for side, run in (runs if base > 0 else reversed(runs))
        for placed in (_words(run) if side > 0 else reversed(_words(run)))
    ]
    wide = sum(_width(words, fonts) for words in pieces)
    x = 0.0 if base > 0 else width - wide
    found = []
    for words in pieces:
        found.append(_at(x, words, fonts))
        x += _width(words, fonts)
    return found


def _resolved(line: list[Piece], base: int) -> list[Piece]:
    """Each piece with a direction: one without goes with both of its neighbours, else with the line."""
    sides = [piece.side for piece in line]
    for number, side in enumerate(sides):
        if side:
            continue
        before = next((one for one in reversed(sides[:number]) if one), base)
        after = next((piece.side for piece in line[number:] if piece.side), base)
        sides[number] = before if before == after else base
    return [piece._replace(side=side) for piece, side in zip(line, sides, strict=True)]


def _words(run: list[Piece]) -> list[list[Piece]]:
    """Pieces that are drawn together: right-to-left letters, which join over the ends of tokens."""
    if run[0].side > 0:
        return [[piece] for piece in run]
    grouped = groupby(run, key=lambda one: (one.font, one.text.isspace() or one.font < 0))
    return [words for (_, alone), group in grouped for words in ([[p] for p in group] if alone else [list(group)])]


def _width(words: list[Piece], fonts: Fonts) -> float:
    return fonts.width("".join(piece.text for piece in words), words[0].font, rtl=words[0].side < 0)


def _at(x: float, words: list[Piece], fonts: Fonts) -> Placed:
    """Pieces drawn as one text, and how much of it is each one's."""
    text, font, rtl = "".join(piece.text for piece in words), words[0].font, words[0].side < 0
    whole, parts, before, read = _width(words, fonts), [], 0.0, ""
    for piece in words:
        read += piece.text
        after = fonts.width(read, font, rtl=rtl) if len(words) > 1 else whole
        begin, end = (whole - after, whole - before) if rtl else (before, after)
        parts.append((piece.position, x + begin, x + end))
        before = after
    return Placed(text, x, font, rtl, tuple(parts))
