"""Tokens as a text of HTML: coloured by confidence, some of them marked, and no longer than there is room."""

from __future__ import annotations

from itertools import count, groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from dgemma_viz.figures.colour_scales import colour_at, text_on
from dgemma_viz.figures.theme import LIGHT
from dgemma_viz.markup import Markup, markup, tag
from dgemma_viz.passage import characters_of
from dgemma_viz.plain_text import isolated
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.run_header import readable_block

if TYPE_CHECKING:
    Numbers = npt.NDArray[np.floating]

UNSURE = 0.5
_LEVELS = 8
_BACKGROUNDS = [colour_at(LIGHT.scale("blue"), level / _LEVELS) for level in range(_LEVELS + 1)]
_STYLES = [f"background:{colour};color:{text_on(colour)}" for colour in _BACKGROUNDS]
"""Readable on any page: each brings both of its colours."""
_NO_VALUE = -1
_MOST_TOKENS = 200_000
"""That are looked at: no more fit."""
_LONGEST_TOKEN, _TOGETHER = 200, 32
_ENOUGH = 10 * _LONGEST_TOKEN * _TOGETHER
_AROUND, _OF_A_LINE = 600, 12
_BOX = (
    "white-space:pre-wrap;overflow-wrap:break-word;font-family:monospace;line-height:1.7;max-height:480px;"
    "overflow:auto;border-left:3px solid #888888;padding-left:10px;margin:4px 0"
)
_MARK = "border-bottom:2px solid #c2410c"
_PLAIN = "background:none;color:inherit"


class Tokens(NamedTuple):
    """A text: ids ``(n,)``, their confidence (NaN: no value), and whether each is marked."""

    ids: npt.NDArray[np.int32]
    confidence: Numbers
    marked: npt.NDArray[np.bool_]


def output_of(trace: Trace, sample: int) -> Tokens:
    """The output, with the confidence of each token at the last step of its canvas; none is marked.

    No value where another token was the draft there, or one token was left.
    """
    ids, canvases, begin = trace.output_ids(sample), len(trace.emitted), trace.output_span[0]
    if not canvases:
        return Tokens(ids, np.zeros(0), np.zeros(0, dtype=bool))
    steps = np.flatnonzero(trace.active[:, sample] & (trace.canvas < canvases))
    last = np.full(canvases, -1)
    np.maximum.at(last, trace.canvas[steps], steps)
    known = (last >= 0)[:, None] & (trace.draft[last, sample] == trace.emitted[:, sample])
    size, banned = trace.facts.vocab_size, trace.banned
    free = known if banned is None else known & (banned[last, sample] != size - 1)
    confidence = np.where(free, trace.confidence[last, sample], np.nan)[trace.in_emitted]
    return Tokens(ids, confidence[begin : begin + len(ids)], np.zeros(len(ids), dtype=bool))


def unsure(confidence: Numbers) -> npt.NDArray[np.bool_]:
    """Where a confidence is low; no value is not."""
    return confidence < UNSURE


def text_html(trace: Trace, tokens: Tokens, room: int) -> Markup:
    """Tokens in pieces of one look, in so many bytes; says how many are left out."""
    room -= _AROUND
    shares = np.nan_to_num(tokens.confidence) * _LEVELS
    levels = np.where(np.isnan(tokens.confidence), _NO_VALUE, shares.round()).astype(int)
    looks = zip(levels.tolist(), tokens.marked.tolist(), (n // _TOGETHER for n in count()), strict=False)
    texts = characters_of(trace.token_texts_of(tokens.ids[:_MOST_TOKENS]))
    pieces, shown = [], 0
    for (level, marked, _), group in groupby(zip(looks, texts, strict=False), key=lambda one: one[0]):
        these = [text for _, text in group]
        words = "".join(text if len(text) <= _LONGEST_TOKEN else f"{text[:_LONGEST_TOKEN]}…" for text in these)
        piece = "\n".join(_piece(level, part, marked=marked) for part in words.split("\n"))
        room -= size_of(piece) + _OF_A_LINE * piece.count("\n")
        if room < 0:
            break
        pieces.append(piece)
        shown += len(these)
    rest = len(tokens.ids) - shown
    left_out = paragraph(f"… The other {rest:,} of {len(tokens.ids):,} tokens are left out here.") if rest else None
    html = Markup("\n".join(_line(Markup(line)) for line in "".join(pieces).split("\n")))
    return markup(text_box(html), left_out)


def _line(html: Markup) -> Markup:
    """A line; one with right-to-left text has its own direction, also where a page takes all styles away."""
    return tag("bdi", html) if isolated(html) != html else html


def _piece(level: int, text: str, *, marked: bool) -> Markup:
    words = readable_block(text, _ENOUGH)
    if not words:
        return words
    style = _PLAIN if level == _NO_VALUE else _STYLES[level]
    if marked:
        return tag("mark", words, style=f"{style};{_MARK}")
    return words if level == _NO_VALUE else tag("span", words, style=style)


def legend(trace: Trace, marked: str) -> Markup:
    """What the colours mean, and what is marked."""
    mark = (" ", tag("mark", "Marked", style=f"{_PLAIN};{_MARK}"), f": {marked} (derived).")
    if "confidence" in trace.facts.absent:
        return paragraph("Confidence was not recorded: no colour.", mark)
    shares = (0, _LEVELS // 2, _LEVELS)
    scale = [(" ", tag("span", f"\u00a0{n / _LEVELS:g}\u00a0", style=_STYLES[n])) for n in shares]
    return paragraph("Colour: confidence at the last step (measured)", scale, "; without colour: no value.", mark)


def text_box(html: Markup) -> Markup:
    """A box in which line ends and spaces count, also where a page takes all styles away."""
    return tag("pre", html, dir="auto", style=_BOX)


def paragraph(*children: object) -> Markup:
    """A paragraph without much room around it."""
    return tag("p", *children, style="margin:4px 0")


def size_of(html: str) -> int:
    """Bytes in UTF-8."""
    return len(html.encode())
