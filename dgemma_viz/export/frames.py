"""The token canvas over the steps as images, drawn with Pillow: what an animation shows, in the canvas' words.

Tokens stand in a grid (:mod:`.frame_grid`) or as text reads (:mod:`.frame_text`), under a head that names step, colour
and the marks that occur (:mod:`.frame_head`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.export.frame_fonts import MONO
from dgemma_viz.export.frame_grid import GridDrawing
from dgemma_viz.export.frame_head import SHADES, Drawing
from dgemma_viz.export.frame_text import TINT, TextDrawing
from dgemma_viz.figures.colour_scales import colour_at, text_on
from dgemma_viz.figures.quantities import Quantity
from dgemma_viz.figures.theme import Theme
from dgemma_viz.trace.model import CanvasRun

_DRAWINGS: dict[str, type[Drawing]] = {"grid": GridDrawing, "reading": TextDrawing}
_PICTURES = 90
"""Colours of a palette that are left to emoji."""


def frames(run: CanvasRun, quantity: Quantity, look: Theme, layout: str = "grid") -> Iterator[Any]:
    """One RGB image a step, all of one size, even in both directions.

    Raises
    ------
    MissingDependencyError
        Pillow is not installed.
    """
    drawing = _DRAWINGS[layout](run, quantity, look, *pillow())
    return (drawing.frame(step) for step in range(run.n_steps))


def palette(quantity: Quantity, look: Theme, last: Any = None) -> Any:
    """An image of 256 colours for frames: grounds, marks, and the edges of letters half-way between.

    ``last`` is the last frame of text as it reads, whose emoji need colours, too.
    """
    image_module, _, _ = pillow()
    stops = look.scale(quantity.scale)
    grounds = [colour_at(stops, n / (SHADES - 1)) for n in range(SHADES)] + [look.paper, look.raised]
    marks = [look.ink, look.soft, look.faint, look.warning, "#000000", "#ffffff"]
    colours = [_channels(colour) for colour in [*grounds, *marks]]
    if last is None:
        for ground in grounds[::2]:
            letters = text_on(ground)
            colours += [_channels(colour_at((letters, ground), share)) for share in (0.35, 0.7)]
    else:
        tints = [colour_at((look.paper, ground), TINT) for ground in grounds[:SHADES:2]]
        colours = colours[:SHADES:4] + colours[SHADES:] + [_channels(tint) for tint in tints]
        colours += [_channels(colour_at((look.ink, tint), share)) for tint in tints[::2] for share in (0.35, 0.7)]
        strip = last.quantize(_PICTURES).convert("RGB")
        colours += [colour for _, colour in strip.getcolors(_PICTURES)]
    strip = image_module.new("RGB", (len(colours), 1))
    strip.putdata(colours)
    return strip.quantize(256)


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[at : at + 2], 16) for at in (1, 3, 5))


def pillow() -> tuple[Any, Any, Any]:
    """``Image``, ``ImageDraw`` and a font of equal widths."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as error:
        raise MissingDependencyError("animations are drawn with Pillow: pip install 'dgemma-viz[images]'") from error
    for name in MONO:
        try:
            return Image, ImageDraw, ImageFont.truetype(name, 15)
        except OSError:
            continue
    return Image, ImageDraw, ImageFont.load_default(15)
