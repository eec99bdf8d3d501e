"""The token canvas over the steps as an animation for slides: GIF with Pillow, MP4 or WebM with PyAV besides.

Both packages are optional. The frames of all three are those of :mod:`.frames`.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

from dgemma_viz.errors import MissingDependencyError, SettingError
from dgemma_viz.export.frames import frames, palette
from dgemma_viz.export.html import check_target, shown_traces
from dgemma_viz.figures.place import resolve_run
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.answer import layout_of
from dgemma_viz.views.charts import LAYOUTS
from dgemma_viz.write_whole import write_whole

_HOLD = 5
"""How many times longer the last step stays."""
_FORMATS: dict[str, tuple[str, str, dict[str, str]]] = {
    ".mp4": ("mp4", "libx264", {"crf": "18"}),
    ".webm": ("webm", "libvpx-vp9", {"crf": "24", "b:v": "0", "cpu-used": "4"}),
}
"""Container, encoder and its quality, by ending: what browsers and slide programs play."""
VIDEOS = tuple(_FORMATS)
"""Endings of :func:`export_video`."""
_BT709 = 1
"""Colours of HD video; FFmpeg's number for its primaries, transfer and matrix."""


def export_gif(  # noqa: PLR0913 - all but what to write is optional, and most of it named
    trace: Trace | str | os.PathLike[str],
    path: str | os.PathLike[str],
    canvas: int = 0,
    sample: int = 0,
    quantity: str = "confidence",
    *,
    theme: str = "light",
    layout: str = "auto",
    steps_per_second: float = 4.0,
) -> Path:
    """Write one canvas over its denoising steps as an animated GIF that loops.

    Each position shows its draft, coloured by the quantity, with the marks of the token canvas and a legend above
    (:mod:`dgemma_viz.export.frames`). Characters that the machine's fonts lack are drawn as boxes; as text reads, the
    head of the frames says of how many.

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
    layout
        ``"grid"``: equal cells, one a position, long tokens cut. ``"reading"``: text as it reads, with line ends; other
        scripts and emoji in fonts that the machine has, right-to-left text from the right. ``"auto"``: as the run is
        better read (:func:`dgemma_viz.views.answer.layout_of`).
    steps_per_second
        Speed, 0.1 to 50; the last step stays longer.

    Raises
    ------
    MissingDependencyError
        Pillow is not installed.
    SettingError, TraceError
        Something that is not there, a speed outside its range, or a file that cannot be written or read.
    """
    target = check_target(path)
    _check_speed(steps_per_second)
    images, colours = _drawn(trace, (canvas, sample), quantity, theme, layout)
    drawn = [*images]
    known = colours(drawn[-1])
    first, *others = [image.quantize(palette=known, dither=0) for image in drawn]
    milliseconds = round(1000 / steps_per_second)
    durations = [milliseconds] * len(others) + [_HOLD * milliseconds]
    written = io.BytesIO()
    first.save(written, "GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    write_whole(target, written.getvalue())
    return target


def export_video(  # noqa: PLR0913 - all but what to write is optional, and most of it named
    trace: Trace | str | os.PathLike[str],
    path: str | os.PathLike[str],
    canvas: int = 0,
    sample: int = 0,
    quantity: str = "confidence",
    *,
    theme: str = "light",
    layout: str = "auto",
    steps_per_second: float = 4.0,
) -> Path:
    """Write one canvas over its denoising steps as a video: ``.mp4`` (H.264) or ``.webm`` (VP9), told by the ending.

    It shows what :func:`export_gif` shows, and takes the same arguments.

    Raises
    ------
    MissingDependencyError
        PyAV or Pillow is not installed.
    SettingError, TraceError
        Another ending, something that is not there, a speed outside its range, or a file that cannot be written or
        read.
    """
    target = check_target(path)
    if target.suffix.lower() not in _FORMATS:
        raise SettingError(f"'{target}' cannot be written as a video; give a name that ends in {', '.join(VIDEOS)}")
    _check_speed(steps_per_second)
    images, _ = _drawn(trace, (canvas, sample), quantity, theme, layout)
    write_whole(target, _encoded(images, target.suffix.lower(), steps_per_second))
    return target


def _check_speed(steps_per_second: float) -> None:
    if not 0.1 <= steps_per_second <= 50:  # noqa: PLR2004 - GIF counts hundredths of a second
        raise SettingError(f"steps_per_second is {steps_per_second}; it must be from 0.1 to 50")


def _drawn(
    trace: Trace | str | os.PathLike[str], place: tuple[int, int], quantity: str, theme: str, layout: str
) -> tuple[Iterator[Any], Callable[[Any], Any]]:
    """An image a step, and what gives the colours of a GIF of them from the last one."""
    if layout not in LAYOUTS:
        raise SettingError(f"there is no layout {layout!r}; choose from {', '.join(LAYOUTS)}")
    shown = shown_traces(trace)
    if not isinstance(shown, Trace):
        raise SettingError("an animation shows one trace: give one of the two")
    run, look, coloured = resolve_run(shown, *place), theme_named(theme), quantity_of(shown, quantity)
    if not run.n_steps:
        raise SettingError(f"canvas {run.canvas} of sample {run.sample} has no denoising steps to animate")
    chosen = layout_of(shown) if layout == "auto" else layout

    def colours(last: Any) -> Any:
        return palette(coloured, look, last if chosen == "reading" else None)

    return frames(run, coloured, look, chosen), colours


def _encoded(images: Iterator[Any], ending: str, steps_per_second: float) -> bytes:
    av = _pyav()
    container_name, encoder, options = _FORMATS[ending]
    first, written = next(images), io.BytesIO()
    with av.open(written, "w", format=container_name) as container:
        stream = container.add_stream(encoder, rate=Fraction(steps_per_second).limit_denominator(1000), options=options)
        stream.width, stream.height = first.size
        stream.pix_fmt = "yuv420p"  # the one that every player knows
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        for image in _held(chain([first], images)):
            frame = av.VideoFrame.from_image(image).reformat(format="yuv420p", dst_colorspace="ITU709")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return written.getvalue()


def _held(images: Iterable[Any]) -> Iterator[Any]:
    """The last image several times: players differ in how long they show the last frame of a video."""
    image = None
    for image in images:
        yield image
    yield from [image] * (_HOLD - 1)


def _pyav() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingDependencyError("videos are written with PyAV: pip install 'dgemma-viz[video]'") from error
    return av
