"""What a trace weighs as one HTML file: bytes and seconds by canvases, beside the trace file and Plotly's own HTML.

Simulated traces of the released model's canvas (256 positions, 48 steps, 8 alternatives), every canvas with all its
steps. The peer is Plotly's own ``write_html`` of one figure, the map of the first canvas, with Plotly in the file::

    python benchmarks/export.py [--canvases 1 16 64]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import dgemma_viz as dv
from dgemma_viz.figures import heatmap
from tests.synthetic import synthetic_trace

POSITIONS, STEPS = 256, 48


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--canvases", type=int, nargs="+", default=[1, 16, 64])
    options = parser.parse_args()
    dv.export_html(synthetic_trace(), Path(tempfile.mkdtemp()) / "first.html")  # Plotly is compressed once a process
    print("| canvases | HTML, MB | of the trace file | of Plotly's HTML of one map | processor seconds to write |")
    print("| ---: | ---: | ---: | ---: | ---: |")
    for canvases in options.canvases:
        print(row(canvases))


def row(canvases: int) -> str:
    """One line of the table."""
    trace = synthetic_trace(length=POSITIONS, canvases=canvases, steps=[[STEPS]] * canvases)
    with tempfile.TemporaryDirectory() as folder:
        page, saved, peer = (Path(folder) / name for name in ("run.html", "run.safetensors", "peer.html"))
        started = time.process_time()
        dv.export_html(trace, page)
        seconds = time.process_time() - started
        trace.save(saved)
        heatmap(trace).write_html(peer)
        size = page.stat().st_size
        ratios = size / saved.stat().st_size, size / peer.stat().st_size
    return f"| {canvases} | {size / 1e6:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {seconds:.1f} |"


if __name__ == "__main__":
    main()
