"""The token canvas over the steps as images, drawn with Pillow: what an animation shows, in the canvas' words.

A cell has a line below for what became of its position (:mod:`dgemma_viz.figures.marks`: solid accepted, dotted
re-noised, thin kept, dashed edited, dash-dotted corrected), a corner for a changed draft, × for one taken back; a
position that does not belong to the output is an outline without a line. The legend above names those that occur.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dgemma_viz.analysis.passages import MASK_TEXT
from dgemma_viz.analysis.positions import flips, re_noised_again
from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.export.frame_marks import KEY, draw_mark
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.contrast import text_on
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import (
    CHANGED,
    OUTSIDE,
    TAKEN_BACK,
    UNRECORDED,
    decision_marks,
    decisions,
    shown_decisions,
)
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.decision import NO_DECISION, Phase
from dgemma_viz.trace.model import UNKNOWN_TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dgemma_viz.figures.marks import Mark
    from dgemma_viz.figures.quantities import Quantity
    from dgemma_viz.figures.theme import Theme
    from dgemma_viz.trace.model import CanvasRun

_CELL_HEIGHT, _GAP, _MARGIN, _LINE = 34, 4, 16, 24
"""Pixels: of a cell, between cells, around all, and of a line of words."""
_NARROWEST, _WIDEST = 520, 1280
_LONGEST = 9
"""Characters of a token that are shown."""
_FONTS: Final = ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf", "LiberationMono-Regular.ttf")
_SHADES = 64
"""Colours that a scale is drawn with."""


def frames(run: CanvasRun, quantity: Quantity, look: Theme) -> Iterator[Any]:
    """One RGB image a step, all of one size, even in both directions.

    Raises
    ------
    MissingDependencyError
        Pillow is not installed.
    """
    drawing = _Drawing(run, quantity, look, *_pillow())
    return (drawing.frame(step) for step in range(run.n_steps))


def palette(quantity: Quantity, look: Theme) -> Any:
    """An image of 256 colours for frames: grounds, marks, and the edges of letters half-way between."""
    image_module, _, _ = _pillow()
    stops = look.scale(quantity.scale)
    grounds = [colour_at(stops, n / (_SHADES - 1)) for n in range(_SHADES)] + [look.paper, look.raised]
    marks = [look.ink, look.soft, look.faint, look.warning, "#000000", "#ffffff"]
    colours = [(ground, 1.0) for ground in [*grounds, *marks]]
    colours += [(ground, share) for ground in grounds[::2] for share in (0.35, 0.7)]
    strip = image_module.new("RGB", (len(colours), 1))
    for n, (colour, share) in enumerate(colours):
        letters = 0 if text_on(colour) == "#000000" else 255
        channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        strip.putpixel((n, 0), tuple(round(share * c + (1 - share) * letters) for c in channels))
    return strip.quantize(256)


@dataclass
class _Drawing:
    run: CanvasRun
    quantity: Quantity
    look: Theme
    image: Any
    draw: Any
    font: Any

    def __post_init__(self) -> None:
        run = self.run
        self.values, self.decided = self.quantity.values(run), decisions(run)
        self.low, self.high = self.quantity.value_range(self.values)
        self.stops = self.look.scale(self.quantity.scale)
        inside = run.in_output
        self.changed, self.taken_back = flips(run) & inside, re_noised_again(run) & inside
        self.marks = decision_marks(run.trace)
        self.texts = [self._texts(step) for step in range(run.n_steps)]
        self.character = math.ceil(self.font.getlength("0"))
        self.width = max(3, *(len(text) for row in self.texts for text in row)) * self.character + (
            24 if self.taken_back.any() else 12
        )
        self.columns = min(run.canvas_length, max(1, (_WIDEST - 2 * _MARGIN) // (self.width + _GAP)))
        across = max(_NARROWEST, 2 * _MARGIN + self.columns * (self.width + _GAP))
        self.size = (across + across % 2, 0)
        self.legend = self._legend_places()
        self.top = _MARGIN + _LINE * (self.legend[-1][2] + 3) + 6
        down = self.top + math.ceil(run.canvas_length / self.columns) * (_CELL_HEIGHT + _GAP) + _MARGIN
        self.size = (self.size[0], down + down % 2)

    def _texts(self, step: int) -> list[str]:
        """Drafts; outside of the output what was read, as what the model would have put there is of no interest."""
        run, mask = self.run, self.run.trace.facts.mask_token_id
        ids = np.where(run.in_output, run.array("draft")[step], run.array("noised")[step]).tolist()
        special = {mask: MASK_TEXT, UNKNOWN_TOKEN: UNRECORDED.glyph}
        return [special.get(token) or display_text(run.token_text(token), _LONGEST) for token in ids]

    def _legend(self, step: int) -> list[tuple[Mark, int]]:
        """Marks that the run has, and how many positions bear each at a step."""
        decided = self.decided[step][self.run.in_output]
        unknown = bool((self.decided == NO_DECISION).all())
        codes = [NO_DECISION] if unknown else shown_decisions(self.run)
        keys = [(self.marks[code], int((decided == code).sum())) for code in codes]
        keys.append((CHANGED, int(self.changed[step].sum())))
        if not unknown:
            keys.append((TAKEN_BACK, int(self.taken_back[step].sum())))
        outside = int((~self.run.in_output).sum())
        return [*keys, *([(OUTSIDE, outside)] if outside else [])]

    def _legend_places(self) -> list[tuple[int, int, int]]:
        """Left edge, width and line of each key; counts have room for all positions."""
        places, x, line = [], _MARGIN, 0
        digits = len(str(self.run.canvas_length))
        for mark, _ in self._legend(0):
            width = KEY + self.character * (len(mark.label) + 1 + digits + 2)
            if x > _MARGIN and x + width > self.size[0] - _MARGIN:
                x, line = _MARGIN, line + 1
            places.append((x, width, line))
            x += width
        return places

    def frame(self, step: int) -> Any:
        image = self.image.new("RGB", self.size, self.look.paper)
        draw = self.draw.Draw(image)
        self._head(draw, step)
        for position, text in enumerate(self.texts[step]):
            row, column = divmod(position, self.columns)
            x, y = _MARGIN + column * (self.width + _GAP), self.top + row * (_CELL_HEIGHT + _GAP)
            self._cell(draw, (x, y, x + self.width, y + _CELL_HEIGHT), text, (step, position))
        return image

    def _head(self, draw: Any, step: int) -> None:
        phase = int(self.run.trace.phase[self.run.steps[step]])
        kind = f" · {PHASES[phase]}" if phase != Phase.DENOISE else ""
        words = f"step {step} of {self.run.n_steps - 1}{kind} · colour: {self.quantity.heading}"
        draw.text((_MARGIN, _MARGIN), words, fill=self.look.ink, font=self.font)
        self._scale(draw, _MARGIN + _LINE)
        for (mark, count), (x, _, line) in zip(self._legend(step), self.legend, strict=True):
            y = _MARGIN + _LINE * (line + 2)
            draw_mark(draw, mark, (x, y + 3, x + KEY - 8, y + 14), self.look)
            draw.text((x + KEY, y), f"{mark.label} {count}", fill=self.look.soft, font=self.font)

    def _scale(self, draw: Any, y: int) -> None:
        """What the colours stand for, from the lowest to the highest."""
        named = self.quantity.categories
        ends = (named[0], named[-1]) if named else (f"{self.low:.3g}", f"{self.high:.3g} {self.quantity.unit}".rstrip())
        draw.text((_MARGIN, y), ends[0], fill=self.look.soft, font=self.font)
        x = _MARGIN + self.character * (len(ends[0]) + 1)
        for n in range(_SHADES):
            share = round(n / (_SHADES - 1)) if named else n / (_SHADES - 1)
            draw.rectangle((x + 2 * n, y + 4, x + 2 * n + 1, y + 15), fill=colour_at(self.stops, share))
        draw.rectangle((x - 1, y + 3, x + 2 * _SHADES, y + 16), outline=self.look.faint)
        draw.text((x + 2 * _SHADES + self.character, y), ends[1], fill=self.look.soft, font=self.font)

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
        ground = colour_at(self.stops, (value - self.low) / (self.high - self.low))
        return ground, text_on(ground)


def _pillow() -> tuple[Any, Any, Any]:
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingDependencyError("animations are drawn with Pillow: pip install 'dgemma-viz[images]'") from error
    for name in _FONTS:
        try:
            return Image, ImageDraw, ImageFont.truetype(name, 15)
        except OSError:
            continue
    return Image, ImageDraw, ImageFont.load_default(15)
