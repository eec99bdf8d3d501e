"""The frames of an animation as a grid of equal cells, one a position.

A cell has a line below for what became of its position (:mod:`dgemma_viz.figures.marks`: solid accepted, dotted
re-noised, thin kept, dashed edited, dash-dotted corrected), a corner for a changed draft, × for one taken back; a
position that does not belong to the output is an outline without a line.
"""

from __future__ import annotations

import math
from typing import Any

from dgemma_viz.analysis.passages import MASK_TEXT
from dgemma_viz.export.frame_head import MARGIN, Drawing
from dgemma_viz.export.frame_marks import draw_mark
from dgemma_viz.figures.colour_scales import text_on
from dgemma_viz.figures.marks import CHANGED, TAKEN_BACK, UNRECORDED
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.model import UNKNOWN_TOKEN

_CELL_HEIGHT, _GAP = 34, 4
"""Pixels: of a cell, and between cells."""
_NARROWEST, _WIDEST = 520, 1280
_LONGEST = 9
"""Characters of a token that are shown."""


class GridDrawing(Drawing):
    """Tokens in cells, cut where they are long."""

    def lay_out(self) -> int:
        """As many cells a row as fit."""
        self.texts = [self._texts(step) for step in range(self.run.n_steps)]
        self.width: int = max(3, *(len(text) for row in self.texts for text in row)) * self.character + (
            24 if self.taken_back.any() else 12
        )
        self.columns = min(self.run.canvas_length, max(1, (_WIDEST - 2 * MARGIN) // (self.width + _GAP)))
        return max(_NARROWEST, 2 * MARGIN + self.columns * (self.width + _GAP))

    def height(self) -> int:
        """Rows of cells."""
        return math.ceil(self.run.canvas_length / self.columns) * (_CELL_HEIGHT + _GAP)

    def _texts(self, step: int) -> list[str]:
        special = {self.run.trace.facts.mask_token_id: MASK_TEXT, UNKNOWN_TOKEN: UNRECORDED.glyph}
        ids = self.ids(step).tolist()
        return [special.get(token) or display_text(self.run.token_text(token), _LONGEST) for token in ids]

    def tokens(self, image: Any, step: int) -> None:
        """A cell for each position."""
        draw = self.draw.Draw(image)
        for position, text in enumerate(self.texts[step]):
            row, column = divmod(position, self.columns)
            x, y = MARGIN + column * (self.width + _GAP), self.top + row * (_CELL_HEIGHT + _GAP)
            self._cell(draw, (x, y, x + self.width, y + _CELL_HEIGHT), text, (step, position))

    def _cell(self, draw: Any, box: tuple[int, int, int, int], text: str, place: tuple[int, int]) -> None:
        x0, y0, x1, y1 = box
        outside = not self.run.in_output[place[1]]
        ground, ink = self._colours(text, float(self.values[place]), outside=outside)
        edge = self.look.faint if outside or text == MASK_TEXT else None
        draw.rounded_rectangle((x0, y0, x1, y1 - 6), 4, fill=ground, outline=edge)
        draw.text(((x0 + x1) / 2, (y0 + y1 - 6) / 2), text, fill=ink, font=self.font, anchor="mm")
        if outside:
            return
        draw_mark(draw, self.marks[int(self.decided[place])], (x0 + 3, y0, x1 - 3, y1), self.look)
        if self.changed[place]:
            draw_mark(draw, CHANGED, (x1 - 9, y0, x1, y0 + 9), self.look)
        if self.taken_back[place]:
            draw_mark(draw, TAKEN_BACK, (x0 + 3, y0 + 3, x0 + 9, y0 + 9), self.look, ink)

    def _colours(self, text: str, value: float, *, outside: bool) -> tuple[str, str]:
        """Ground and letters of a cell."""
        if outside or text == MASK_TEXT:
            return self.look.paper if outside else self.look.raised, self.look.soft
        if math.isnan(value):
            return self.look.raised, self.look.ink
        ground = self.colour(value)
        return ground, text_on(ground)
