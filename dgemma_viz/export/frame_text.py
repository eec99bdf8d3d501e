"""The frames of an animation as text reads: line ends, indentation, each token as wide as its text.

Each token stands on the tint of its value, with the marks of the grid: a line below for what became of it, a corner for
a changed draft, × for one taken back. What a step leaves as noise is drawn faintly. Right-to-left text runs from the
right, by the simple rules of :mod:`.frame_lines`. What fills the canvas behind the end is one mark with its count.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.passages import MASK_TEXT
from dgemma_viz.export.frame_fonts import Fonts
from dgemma_viz.export.frame_head import MARGIN, Drawing
from dgemma_viz.export.frame_lines import Placed, lines_of, pieces_of
from dgemma_viz.export.frame_marks import draw_mark
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.marks import CHANGED, TAKEN_BACK, UNRECORDED
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.passage import characters_of
from dgemma_viz.plain_text import seen_pieces
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import UNKNOWN_TOKEN

_WIDTH, _ROW, _SIZE = 960, 30, 15
"""Pixels: of a frame, of a line of text, and of its letters."""
_BASE, _HIGH, _LOW = 18, 2, 27
"""Pixels from the top of a line to its base line, to the top and to the foot of what stands behind a token."""
TINT = 0.42
"""Share of a value's colour in what stands behind a token: the text stays ink on paper, as on the page."""
_KEPT = "\n\u200c\u200d\ufe0e\ufe0f"
_FOLDED_FROM = 4
_LINE_END = "↵"


class TextDrawing(Drawing):
    """Tokens as they read."""

    def lay_out(self) -> int:
        """Lines of all steps: a step that drafts many line ends has more of them than the text that it becomes."""
        self.fonts = Fonts((self.image, self.draw, _font_types()), self.font, _SIZE)
        self.lines = [self._lines(step) for step in range(self.run.n_steps)]
        return _WIDTH

    def height(self) -> int:
        """The most lines of a step."""
        return _ROW * max(len(lines) for lines in self.lines)

    def remark(self) -> str:
        """How many characters no font has."""
        number = len(self.fonts.lacking)
        return f" · {counted(number, 'character')} in no font here (▯)" if number else ""

    def _lines(self, step: int) -> list[list[Placed]]:
        texts = self._texts(step)
        pieces = [piece for position, text in enumerate(texts) for piece in pieces_of(text, position, self.fonts)]
        return lines_of(pieces, _WIDTH - 2 * MARGIN, self.fonts)

    def _texts(self, step: int) -> list[str]:
        """What each position shows; line ends as a mark and a line end."""
        ids, facts = self.ids(step), self.run.trace.facts
        texts = self.run.trace.token_texts_of(ids)
        special = {facts.mask_token_id: MASK_TEXT * 2, UNKNOWN_TOKEN: UNRECORDED.glyph}
        texts = [special.get(token, text) for token, text in zip(ids.tolist(), texts, strict=True)]
        told = np.flatnonzero((ids != ids[-1]) | ~np.isin(ids, facts.filling_ids))
        behind = int(told[-1]) + 1 if len(told) else 0
        if len(ids) - behind >= _FOLDED_FROM:  # the same token again and again
            folded = f"{display_text(texts[behind])} × {len(ids) - behind}"
            texts = [*texts[:behind], folded, *[""] * (len(ids) - behind - 1)]
        shown = []
        for text in characters_of(texts):
            seen = "".join(seen_pieces(re.sub("\r\n?", "\n", text).replace("\t", "    "), f" {_KEPT}"))
            shown.append(seen.replace("\n", f"{_LINE_END}\n"))
        return shown

    def tokens(self, image: Any, step: int) -> None:
        """All lines: what stands behind the tokens, their text, their marks."""
        draw = self.draw.Draw(image)
        for row, line in enumerate(self.lines[step]):
            y = self.top + row * _ROW
            ends: dict[int, tuple[float, float]] = {}
            for placed in line:
                for position, x0, x1 in placed.parts:
                    known = ends.get(position, (x0, x1))
                    ends[position] = min(known[0], x0), max(known[1], x1)
            for position, (x0, x1) in ends.items():
                box = math.floor(MARGIN + x0), y + _HIGH, math.ceil(MARGIN + x1) - 1, y + _LOW
                self._behind(draw, box, step, position)
            for placed in line:
                ink = self._ink(step, placed.parts[0][0], placed.text)
                place = MARGIN + placed.x, y + _BASE
                self.fonts.put(image, draw, place, placed.text, placed.font, fill=ink, rtl=placed.rtl)

    def _behind(self, draw: Any, box: tuple[int, int, int, int], step: int, position: int) -> None:
        x0, y0, x1, y1 = box
        outside = not self.run.in_output[position]
        value = float(self.values[step, position])
        if not outside and not math.isnan(value):
            draw.rectangle((x0, y0, x1, y1 - 3), fill=colour_at((self.look.paper, self.colour(value)), TINT))
        if outside:
            return
        draw_mark(draw, self.marks[int(self.decided[step, position])], (x0, y0, x1, y1), self.look)
        if self.changed[step, position]:
            draw_mark(draw, CHANGED, (x1 - 6, y0 - 2, x1, y0 + 4), self.look)
        if self.taken_back[step, position]:
            draw_mark(draw, TAKEN_BACK, (x0, y0 - 2, x0 + 6, y0 + 4), self.look)

    def _ink(self, step: int, position: int, text: str) -> str:
        """Faint for noise, for what is not of the output, and for the sign of a line end."""
        noise = self.decided[step, position] == Decision.NOISE
        faint = noise or not self.run.in_output[position] or text == _LINE_END
        return self.look.soft if faint else self.look.ink


def _font_types() -> Any:
    from PIL import ImageFont

    return ImageFont
