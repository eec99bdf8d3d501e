"""What the frames of an animation share, whatever lays out their tokens: a head, a scale and a legend of the marks."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import flips, re_noised_again
from dgemma_viz.export.frame_marks import KEY, draw_mark
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.marks import CHANGED, OUTSIDE, TAKEN_BACK, Mark, decision_marks, decisions, shown_decisions
from dgemma_viz.figures.quantities import Quantity
from dgemma_viz.figures.theme import Theme
from dgemma_viz.trace.decision import NO_DECISION, Phase
from dgemma_viz.trace.model import CanvasRun

MARGIN, LINE = 16, 24
"""Pixels around all, and of a line of words."""
SHADES = 64
"""Colours that a scale is drawn with."""


@dataclass
class Drawing(ABC):
    """The frames of one run; its subclasses lay out the tokens."""

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
        self.character: int = math.ceil(self.font.getlength("0"))
        across = self.lay_out()
        self.size = (across + across % 2, 0)
        self.legend = self._legend_places()
        self.top = MARGIN + LINE * (self.legend[-1][2] + 3) + 6
        down = self.top + self.height() + MARGIN
        self.size = (self.size[0], down + down % 2)

    @abstractmethod
    def lay_out(self) -> int:
        """Decide where tokens go; returns the width of all frames."""

    @abstractmethod
    def height(self) -> int:
        """Pixels from the first line of tokens to the last, of all frames."""

    @abstractmethod
    def tokens(self, image: Any, step: int) -> None:
        """Draw the tokens of a step, from :attr:`top` on."""

    def remark(self) -> str:
        """What is to be said of all frames."""
        return ""

    def ids(self, step: int) -> npt.NDArray[np.int32]:
        """Drafts; outside of the output what was read, as what the model would have put there is of no interest."""
        run = self.run
        shown: npt.NDArray[np.int32] = np.where(run.in_output, run.array("draft")[step], run.array("noised")[step])
        return shown

    def colour(self, value: float) -> str:
        """What a value is coloured with."""
        return colour_at(self.stops, (value - self.low) / (self.high - self.low))

    def frame(self, step: int) -> Any:
        """The image of a step."""
        image = self.image.new("RGB", self.size, self.look.paper)
        draw = self.draw.Draw(image)
        self._head(draw, step)
        self.tokens(image, step)
        return image

    def legend_keys(self, step: int) -> list[tuple[Mark, int]]:
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
        places, x, line = [], MARGIN, 0
        digits = len(str(self.run.canvas_length))
        for mark, _ in self.legend_keys(0):
            width = KEY + self.character * (len(mark.label) + 1 + digits + 2)
            if x > MARGIN and x + width > self.size[0] - MARGIN:
                x, line = MARGIN, line + 1
            places.append((x, width, line))
            x += width
        return places

    def _head(self, draw: Any, step: int) -> None:
        phase = int(self.run.trace.phase[self.run.steps[step]])
        kind = f" · {PHASES[phase]}" if phase != Phase.DENOISE else ""
        words = f"step {step} of {self.run.n_steps - 1}{kind} · colour: {self.quantity.heading}{self.remark()}"
        draw.text((MARGIN, MARGIN), words, fill=self.look.ink, font=self.font)
        self._scale(draw, MARGIN + LINE)
        for (mark, count), (x, _, line) in zip(self.legend_keys(step), self.legend, strict=True):
            y = MARGIN + LINE * (line + 2)
            draw_mark(draw, mark, (x, y + 3, x + KEY - 8, y + 14), self.look)
            draw.text((x + KEY, y), f"{mark.label} {count}", fill=self.look.soft, font=self.font)

    def _scale(self, draw: Any, y: int) -> None:
        """What the colours stand for, from the lowest to the highest."""
        named = self.quantity.categories
        ends = (named[0], named[-1]) if named else (f"{self.low:.3g}", f"{self.high:.3g} {self.quantity.unit}".rstrip())
        draw.text((MARGIN, y), ends[0], fill=self.look.soft, font=self.font)
        x = MARGIN + self.character * (len(ends[0]) + 1)
        for n in range(SHADES):
            share = round(n / (SHADES - 1)) if named else n / (SHADES - 1)
            draw.rectangle((x + 2 * n, y + 4, x + 2 * n + 1, y + 15), fill=colour_at(self.stops, share))
        draw.rectangle((x - 1, y + 3, x + 2 * SHADES, y + 16), outline=self.look.faint)
        draw.text((x + 2 * SHADES + self.character, y), ends[1], fill=self.look.soft, font=self.font)
