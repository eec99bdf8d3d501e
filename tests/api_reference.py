"""Write the API reference as HTML: ``python -m tests.api_reference [folder]``.

A package shows what its ``__all__`` names, or all its modules where it has none.
"""

import sys
from pathlib import Path

import pdoc
from pdoc.render import configure

PUBLIC = (
    "dgemma_viz",
    "dgemma_viz.analysis",
    "dgemma_viz.conformance",
    "dgemma_viz.costs",
    "dgemma_viz.diagnosis",
    "dgemma_viz.errors",
    "dgemma_viz.figures",
    "dgemma_viz.labs",
    "dgemma_viz.recorders",
    "dgemma_viz.serving",
    "dgemma_viz.tiny",
    "dgemma_viz.trace",
    "dgemma_viz.trace.decision",
    "dgemma_viz.trace.json_lines",
    "dgemma_viz.trace.schema",
    "dgemma_viz.widgets",
)


def write_reference(folder: Path, *, packages: tuple[str, ...] = PUBLIC, source: bool = True) -> None:
    """Write one page a module, and a search index; with the source below each name unless ``source`` is false."""
    configure(docformat="numpy", show_source=source, search=source)
    pdoc.pdoc(*packages, output_directory=folder)


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    write_reference(target)
    print(f"written: {target / 'index.html'}")
