"""The options of ``dgemma-viz export``, and what it does with them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import argparse

SUFFIXES = (".html", ".htm")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Give a parser the options."""
    parser.add_argument("trace", help="a .safetensors trace, or JSON lines that another runtime logged")
    parser.add_argument("other", nargs="?", help="a second trace: then both are compared")
    parser.add_argument("-o", "--output", required=True, help="file to write, e.g. run.html")
    parser.add_argument("--reference", help="the right answer (default: the trace's own, if it has one)")


def run(options: argparse.Namespace) -> int:
    """Write the file; returns the exit status.

    Raises
    ------
    SettingError
        The output has another ending, or cannot be written.
    TraceError
        A file is not a readable trace, or the two cannot be compared.
    """
    from dgemma_viz.export.html import export_html

    if Path(options.output).suffix.lower() not in SUFFIXES:
        raise SettingError(f"'{options.output}': dgemma-viz export writes HTML; give a name that ends in .html")
    what = options.trace if options.other is None else (options.trace, options.other)
    path = export_html(what, options.output, options.reference)
    print(f"written to {path}: {path.stat().st_size / 1e6:.1f} MB, opens from disk in any current browser")
    return 0
