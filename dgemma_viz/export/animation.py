"""The token canvas over the steps as an animated GIF, for slides: drawn with Pillow, an optional package."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING, Any, Final

from dgemma_viz.analysis.positions import flips
from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.html import check_target, shown_traces, write_whole
from dgemma_viz.figures.colour_scales import colour_at
from dgemma_viz.figures.marks import decision_marks, decisions, shown_decisions
from dgemma_viz.figures.place import resolve_run
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from dgemma_viz.figures.quantities import Quantity
    from dgemma_viz.figures.theme import Theme
    from dgemma_viz.trace.model import CanvasRun

_CELL_HEIGHT, _GAP, _MARGIN, _HEAD = 34, 4, 16, 60
"""Pixels: of a cell, between cells, around all, and of the lines above."""
_WIDEST = 1280
_LONGEST = 9
"""Characters of a token that are shown."""
_FONTS: Final = ("DejaVuSansMono.ttf", "Menlo.ttc", "consola.ttf", "LiberationMono-Regular.ttf")
_HOLD = 5
"""How many times longer the last step stays."""
_SHADES = 64
"""Colours that a scale is drawn with."""
_DARKEST_FOR_INK = 0.18
"""Luminance from which black text has the higher contrast."""


def export_gif(
    trace: Trace | str | os.PathLike[str],
    path: str | os.PathLike[str],
    canvas: int = 0,
    sample: int = 0,
    quantity: str = "confidence",
    *,
    theme: str = "light",
    steps_per_second: float = 4.0,
) -> Path:
    """Write one canvas over its denoising steps as an animated GIF that loops.

    Each position shows its draft, coloured by the quantity; a solid line below is accepted, a dotted one re-noised, a
    corner a changed draft. Characters that the machine's fonts lack are drawn as boxes.

    Parameters
    ----------
    trace
        A trace, or the path of a trace file.
    path
        File to write; one that is there is replaced.
    canvas, sample
        Which run of it, counted from 0.
    quantity
        What colour stands for; one of :data:`dgemma_viz.figures.quantities.QUANTITIES`.
    theme
        ``"light"`` or ``"dark"``.
    steps_per_second
        Speed, 0.1 to 50; the last step stays longer.

    Raises
    ------
    MissingDependencyError
        Pillow is not installed.
    SettingError, TraceError
        Something that is not there, a speed outside its range, or a file that cannot be written or read.
    """
    if not 0.1 <= steps_per_second <= 50:  # noqa: PLR2004 - GIF counts hundredths of a second
        raise SettingError(f"steps_per_second is {steps_per_second}; it must be from 0.1 to 50")
    target, shown = check_target(path), shown_traces(trace)
    if not isinstance(shown, Trace):
        raise SettingError("an animation shows one trace: give one of the two")
    run, look = resolve_run(shown, canvas, sample), theme_named(theme)
    if not run.n_steps:
        raise SettingError(f"canvas {canvas} of sample {sample} has no denoising steps to animate")
    frames = list(_frames(run, quantity_of(shown, quantity), look))
    milliseconds = round(1000 / steps_per_second)
    durations = [milliseconds] * (len(frames) - 1) + [_HOLD * milliseconds]
    written = io.BytesIO()
    frames[0].save(written, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False)
    write_whole(target, written.getvalue())
    return target


def _frames(run: CanvasRun, quantity: Quantity, look: Theme) -> Iterator[Any]:
    """One image a step, all with one palette."""
    image_module, draw_module, font = _pillow()
    texts = [[display_text(run.token_text(int(i)), _LONGEST) for i in row] for row in run.array("draft")]
    width = max(3, *(len(text) for row in texts for text in row)) * math.ceil(font.getlength("0")) + 12
    columns = min(run.canvas_length, max(1, (_WIDEST - 2 * _MARGIN) // (width + _GAP)))
    rows = math.ceil(run.canvas_length / columns)
    size = (max(520, 2 * _MARGIN + columns * (width + _GAP)), 2 * _MARGIN + _HEAD + rows * (_CELL_HEIGHT + _GAP))
    values, changed, decided = quantity.values(run), flips(run), decisions(run)
    low, high = quantity.value_range(values)
    marks, stops = decision_marks(run.trace), look.scale(quantity.scale)
    palette = _palette(image_module, stops, look)
    for step in range(run.n_steps):
        image = image_module.new("RGB", size, look.paper)
        draw = draw_module.Draw(image)
        counts = [f"{marks[code].label} {int((decided[step] == code).sum())}" for code in shown_decisions(run)]
        head = [f"step {step} of {run.n_steps - 1} · colour: {quantity.heading}", " · ".join(counts)]
        for line, words in enumerate(head):
            draw.text((_MARGIN, _MARGIN + 24 * line), words, fill=look.soft if line else look.ink, font=font)
        for position, text in enumerate(texts[step]):
            row, column = divmod(position, columns)
            x, y = _MARGIN + column * (width + _GAP), _MARGIN + _HEAD + row * (_CELL_HEIGHT + _GAP)
            box = (x, y, x + width, y + _CELL_HEIGHT)
            value = float(values[step, position])
            ground = look.raised if math.isnan(value) else colour_at(stops, (value - low) / (high - low))
            _cell(draw, box, text, (ground, look), font)
            _marks(draw, box, int(decided[step, position]), bool(changed[step, position]), look)
        yield image.quantize(palette=palette, dither=0)


def _palette(image_module: Any, stops: tuple[str, ...], look: Theme) -> Any:
    """An image of the colours that can occur: grounds, marks, and the edges of letters half-way between."""
    grounds = [colour_at(stops, n / (_SHADES - 1)) for n in range(_SHADES)] + [look.paper, look.raised]
    colours = [(ground, 1.0) for ground in [*grounds, look.ink, look.soft, look.warning, "#000000", "#ffffff"]]
    colours += [(ground, share) for ground in grounds[::2] for share in (0.35, 0.7)]
    strip = image_module.new("RGB", (len(colours), 1))
    for n, (colour, share) in enumerate(colours):
        letters = 0 if _luminance(colour) > _DARKEST_FOR_INK else 255
        channels = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
        strip.putpixel((n, 0), tuple(round(share * c + (1 - share) * letters) for c in channels))
    return strip.quantize(256)


def _cell(draw: Any, box: tuple[int, int, int, int], text: str, colours: tuple[str, Theme], font: Any) -> None:
    ground, look = colours
    x0, y0, x1, y1 = box
    draw.rounded_rectangle((x0, y0, x1, y1 - 6), 4, fill=ground)
    ink = look.ink if ground == look.raised else "#000000" if _luminance(ground) > _DARKEST_FOR_INK else "#ffffff"
    draw.text(((x0 + x1) / 2, (y0 + y1 - 6) / 2), text, fill=ink, font=font, anchor="mm")


def _marks(draw: Any, box: tuple[int, int, int, int], decision: int, changed: bool, look: Theme) -> None:
    x0, y0, x1, y1 = box
    if decision == Decision.NOISE:
        for x in range(x0 + 3, x1 - 3, 5):
            draw.rectangle((x, y1 - 2, x + 1, y1 - 1), fill=look.soft)
    elif decision in {Decision.ACCEPTED, Decision.EDITED, Decision.CORRECTED}:
        draw.rectangle((x0 + 3, y1 - 3, x1 - 3, y1 - 1), fill=look.ink)
    elif decision == Decision.KEPT:
        draw.rectangle((x0 + 3, y1 - 2, x1 - 3, y1 - 2), fill=look.soft)
    if changed:
        draw.polygon([(x1 - 9, y0), (x1, y0), (x1, y0 + 9)], fill=look.warning)


def _luminance(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)  # noqa: PLR2004
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


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
