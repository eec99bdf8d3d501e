"""Size of a trace file, and how long saving and opening take: one canvas, and 64.

    python benchmarks/trace_files.py    # seconds

The runs are simulated (no model) in the released sizes: canvases of 256 tokens, 48 denoising steps, 8 alternatives,
noise from a vocabulary of 262,144, so that hundreds of thousands of tokens occur among 64 canvases. Each time is also
given as a ratio to writing, or reading, as many plain bytes in the same run.
"""

from __future__ import annotations

import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.trace import ARRAYS, RunFacts, Trace, load_trace, save_trace

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, CANVAS, TOP_K, VOCABULARY = 48, 256, 8, 262_144
KNOWN_TOKENS = 4_000
"""Tokens among which candidates, drafts and alternatives are; noise is drawn from all."""


def simulated(canvases: int) -> Trace:
    """A trace of random numbers with the shapes, dtypes and token counts of a real one."""
    rng = np.random.default_rng(0)
    sizes = {"S": canvases * STEPS, "B": 1, "C": CANVAS, "K": TOP_K, "N": canvases, "P": 32}
    arrays = {}
    for name, spec in ARRAYS.items():
        shape = tuple(sizes[axis] for axis in spec.axes)
        arrays[name] = np.zeros(shape, spec.dtype)
        if spec.dtype == "int32" and "C" in spec.axes:
            arrays[name] = rng.integers(0, VOCABULARY if name == "noised" else KNOWN_TOKENS, shape, dtype=np.int32)
        elif spec.dtype.startswith("float"):
            arrays[name] = rng.random(shape).astype(spec.dtype)
    arrays["canvas"] = np.repeat(np.arange(canvases, dtype=np.int32), STEPS)
    arrays["step_in_canvas"] = np.tile(np.arange(STEPS, dtype=np.int32), canvases)
    arrays["active"][:] = True
    arrays["prompt_mask"][:] = True
    del arrays["decision"], arrays["phase"]
    texts = {
        int(i): f" word{i}" for i in np.unique(np.concatenate([arrays["noised"].ravel(), np.arange(KNOWN_TOKENS)]))
    }
    return Trace(**arrays, facts=RunFacts(vocab_size=VOCABULARY), token_texts=texts)


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(canvases: int, folder: Path) -> None:
    """Print one row."""
    trace, path, plain = simulated(canvases), folder / "run.safetensors", folder / "plain"
    save = seconds(lambda: save_trace(trace, path))
    load = seconds(lambda: load_trace(path))
    data = path.read_bytes()
    write, read = seconds(lambda: plain.write_bytes(data)), seconds(plain.read_bytes)
    times = f"{save:.3f} | {save / write:.1f} | {load:.3f} | {load / read:.1f}"
    print(f"| {canvases} | {len(data) / 1e6:.2f} | {times} |", flush=True)


def main() -> None:
    """Measure and print a Markdown table."""
    print(f"numpy {np.__version__}, Python {platform.python_version()}, one thread.\n")
    print("| canvases | file, MB | save, s | / plain write | open, s | / plain read |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for canvases in (1, 64):
            measure(canvases, Path(folder))


if __name__ == "__main__":
    main()
