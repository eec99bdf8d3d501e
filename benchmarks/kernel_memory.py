"""What a session costs before and after it opens a trace: seconds of imports, and memory of a real kernel."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
from jupyter_client.manager import start_new_kernel

from dgemma_viz.serving.server import KERNEL_MEMORY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TIMED = """\
import sys, time
begun = time.perf_counter()
import {name}
print(time.perf_counter() - begun, sum(module.split(".")[0] == "torch" for module in sys.modules))"""
_REPEATS = 5
_BARE = "import pandas, plotly.graph_objects, ipywidgets\nfigure = plotly.graph_objects.FigureWidget()\nfigure"


def import_seconds() -> list[tuple[str, str, str]]:
    """Rows: what is imported, the median time in fresh processes, and how many modules of torch came with it."""
    names = ("dgemma_viz", "ipywidgets", "plotly.graph_objects")
    found: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
    for _ in range(_REPEATS):
        for name in names:
            command = [sys.executable, "-c", _TIMED.format(name=name)]
            seconds, torch = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()  # noqa: S603
            found[name].append((float(seconds), int(torch)))
    return [
        (f"`{name}`", f"{statistics.median(time for time, _ in runs):.3f}", str(max(torch for _, torch in runs)))
        for name, runs in found.items()
    ]


def kernel_megabytes(imports: str, paths: Mapping[int, Path]) -> list[tuple[str, str]]:
    """Rows: a kernel without anything, one with the bare libraries, and one that opened each trace.

    All with the environment that ``dgemma-viz serve`` gives its kernels.
    """
    opened = {f"`dv.explore`, {n} canvas(es)": f"{imports}\ndv.explore({str(path)!r})" for n, path in paths.items()}
    cells = {"bare ipykernel": "1", "pandas, plotly, ipywidgets and an empty FigureWidget": _BARE, **opened}
    return [(what, f"{_megabytes_after(source):.0f}") for what, source in cells.items()]


def _megabytes_after(source: str) -> float:
    manager, client = start_new_kernel(stderr=subprocess.DEVNULL, env={**KERNEL_MEMORY, **os.environ})
    try:
        reply = client.execute_interactive(source, timeout=120, output_hook=lambda _message: None)
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"]["traceback"]))
        memory = psutil.Process(manager.provisioner.pid).memory_full_info()
        return getattr(memory, "pss", memory.uss) / 1e6
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
