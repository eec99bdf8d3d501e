"""The options of ``dgemma-viz export``, and what it does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import argparse

SUFFIXES = (".html", ".htm", ".gif")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options."""
    parser.add_argument("trace", help="a .safetensors trace, or JSON lines that another runtime logged")
    parser.add_argument("other", nargs="?", help="a second trace: then both are compared")
    parser.add_argument("-o", "--output", required=True, help="file to write: run.html, or run.gif")
    parser.add_argument("--reference", help="the right answer (default: the trace's own, if it has one)")
    gif = parser.add_argument_group("of a GIF: the token canvas over the steps; needs Pillow")
    gif.add_argument("--canvas", type=int, default=0)
    gif.add_argument("--sample", type=int, default=0)
    gif.add_argument("--quantity", default="confidence", help="what colour stands for (default: %(default)s)")
    gif.add_argument("--theme", choices=("light", "dark"), default="light")
    gif.add_argument("--steps-per-second", type=float, default=4.0, help="speed (default: %(default)g)")


def run(options: argparse.Namespace) -> int:
    """Write the file; returns the exit status.

    Raises
    ------
    SettingError
        The output has another ending, or cannot be written.
    TraceError
        A file is not a readable trace, or the two cannot be compared.
    """
    suffix = Path(options.output).suffix.lower()
    if suffix not in SUFFIXES:
        endings = ", ".join(SUFFIXES)
        raise SettingError(f"'{options.output}' is no kind of file that is written; give a name that ends in {endings}")
    path = _gif(options) if suffix == ".gif" else _html(options)
    print(f"written to {path}: {path.stat().st_size / 1e6:.1f} MB")
    return 0


def _html(options: argparse.Namespace) -> Path:
    from dgemma_viz.export.html import export_html

    what = options.trace if options.other is None else (options.trace, options.other)
    return export_html(what, options.output, options.reference)


def _gif(options: argparse.Namespace) -> Path:
    from dgemma_viz.export.animation import export_gif

    if options.other is not None:
        raise SettingError("an animation shows one trace: give one, or an output that ends in .html")
    place = (options.trace, options.output, options.canvas, options.sample, options.quantity)
    return export_gif(*place, theme=options.theme, steps_per_second=options.steps_per_second)
