"""The options of ``dgemma-viz export``, and what it does with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.plain_text import printable

PAGES, GIF, VIDEOS, PICTURES = (".html", ".htm"), (".gif",), (".mp4", ".webm"), (".png", ".svg", ".pdf")
_OPTIONS = {
    "reference": PAGES,
    "figure": PICTURES,
    "canvas": GIF + VIDEOS + PICTURES,
    "sample": GIF + VIDEOS + PICTURES,
    "quantity": GIF + VIDEOS + PICTURES,
    "theme": GIF + VIDEOS + PICTURES,
    "layout": GIF + VIDEOS,
    "steps_per_second": GIF + VIDEOS,
    "step": PICTURES,
    "position": PICTURES,
    "width": PICTURES,
    "height": PICTURES,
    "scale": PICTURES,
}
"""What each option belongs to, by the ending of the output."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options."""
    parser.add_argument(
        "trace", help="a .safetensors trace, JSON lines that another runtime logged, a step map, or a history"
    )
    parser.add_argument("other", nargs="?", help="a second trace: then both are compared")
    parser.add_argument(
        "-o",
        "--output",
        required=True,
        help="file to write: run.html (everything, to explore), run.gif, run.mp4 or run.webm (the token canvas over "
        "the steps), map.png, map.svg or map.pdf (one figure)",
    )
    parser.add_argument("--reference", help="of a page: the right answer (default: the trace's own, if it has one)")
    shown = parser.add_argument_group("of an animation (needs the extra images or video) and of a picture")
    shown.add_argument("--canvas", type=int, help="counted from 0 (default: 0)")
    shown.add_argument("--sample", type=int, help="counted from 0 (default: 0)")
    shown.add_argument("--quantity", help="what colour stands for (default: confidence)")
    shown.add_argument("--theme", choices=("light", "dark"), help="default: light")
    shown.add_argument("--layout", choices=("auto", "grid", "reading"), help="of an animation's tokens (default: auto)")
    shown.add_argument("--steps-per-second", type=float, help="speed of an animation (default: 4)")
    picture = parser.add_argument_group(
        "of a picture: a figure of dgemma_viz.figures; needs the extra images and Chrome"
    )
    picture.add_argument("--figure", help="its name (default: heatmap, or difference_map of two traces)")
    picture.add_argument("--step", type=int, help="from 0, or from the end with -1")
    picture.add_argument("--position", type=int, help="counted from 0")
    picture.add_argument("--width", type=int, help="pixels (default: 700)")
    picture.add_argument("--height", type=int, help="pixels (default: the figure's own)")
    picture.add_argument("--scale", type=float, help="pixels of a PNG for each of them (default: 1)")


def run(options: argparse.Namespace) -> int:
    """Write the file; returns the exit status.

    Raises
    ------
    MissingDependencyError
        What draws this kind of file is not installed.
    SettingError
        The output has another ending or cannot be written, or an option belongs to another kind of output.
    TraceError
        A file is not a readable trace, or the two cannot be compared.
    """
    suffix = Path(options.output).suffix.lower()
    known = PAGES + GIF + VIDEOS + PICTURES
    if suffix not in known:
        endings = ", ".join(known)
        raise SettingError(f"'{options.output}' cannot be written; give a name that ends in {endings}")
    given = {name: value for name in _OPTIONS if (value := getattr(options, name)) is not None}
    for name in given:
        if suffix not in _OPTIONS[name]:
            endings = ", ".join(_OPTIONS[name])
            raise SettingError(f"--{name.replace('_', '-')} says nothing of a {suffix}; it is for {endings}")
    path = _written(suffix, options, given)
    print(f"written to {printable(str(path))}: {path.stat().st_size / 1e3:,.0f} kB")
    return 0


def _written(suffix: str, options: argparse.Namespace, given: dict[str, Any]) -> Path:
    what: Any = options.trace if options.other is None else (options.trace, options.other)
    if suffix in PAGES:
        from dgemma_viz.export.html import export_html

        return export_html(what, options.output, **given)
    if suffix in PICTURES:
        from dgemma_viz.export.picture import export_picture

        return export_picture(what, options.output, **given)
    from dgemma_viz.export.animation import export_gif, export_video

    return (export_gif if suffix in GIF else export_video)(what, options.output, **given)
