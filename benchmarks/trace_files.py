"""Size of a trace file, and how long saving and opening take: one canvas, and 64.

    python benchmarks/trace_files.py [--alternatives-from 4000 20000 262144]    # a minute

The runs are simulated (no model) in the released sizes: canvases of 256 tokens, 48 denoising steps, 8 alternatives,
noise from a vocabulary of 262,144, so that hundreds of thousands of tokens occur among 64 canvases. A file grows with
the number of different tokens: candidates, drafts and alternatives are drawn evenly from as many as the option says;
262,144, the whole vocabulary, is the worst case. Texts are made up (" word123"). Each time is also given as a ratio to
writing, or reading, as many plain bytes in the same run.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.trace import ARRAYS, RunFacts, Trace, load_trace, save_trace
from dgemma_viz.trace.schema import TOKEN_ARRAYS

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS, CANVAS, TOP_K, VOCABULARY = 48, 256, 8, 262_144


def simulated(canvases: int, known_tokens: int) -> Trace:
    """A trace of random numbers with the shapes, dtypes and token counts of a real one; noise is drawn from all."""
    rng = np.random.default_rng(0)
    sizes = {"S": canvases * STEPS, "B": 1, "C": CANVAS, "K": TOP_K, "N": canvases, "P": 32}
    arrays = {}
    for name, spec in ARRAYS.items():
        shape = tuple(sizes[axis] for axis in spec.axes)
        arrays[name] = np.zeros(shape, spec.dtype)
        if spec.dtype == "int32" and "C" in spec.axes:
            arrays[name] = rng.integers(0, VOCABULARY if name == "noised" else known_tokens, shape, dtype=np.int32)
        elif spec.dtype.startswith("float"):
            arrays[name] = rng.random(shape).astype(spec.dtype)
    arrays["canvas"] = np.repeat(np.arange(canvases, dtype=np.int32), STEPS)
    arrays["step_in_canvas"] = np.tile(np.arange(STEPS, dtype=np.int32), canvases)
    arrays["active"][:] = True
    arrays["prompt_mask"][:] = True
    del arrays["decision"], arrays["phase"]
    occurring = np.unique(np.concatenate([arrays[name].ravel() for name in TOKEN_ARRAYS]))
    texts = {token: f" word{token}" for token in occurring.tolist()}
    return Trace(**arrays, facts=RunFacts(vocab_size=VOCABULARY), token_texts=texts)


def seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(canvases: int, known_tokens: int, folder: Path) -> None:
    """Print one row."""
    trace, path, plain = simulated(canvases, known_tokens), folder / "run.safetensors", folder / "plain"
    save = seconds(lambda: save_trace(trace, path))
    load = seconds(lambda: load_trace(path))
    data = path.read_bytes()
    write, read = seconds(lambda: plain.write_bytes(data)), seconds(plain.read_bytes)
    times = f"{save:.3f} | {save / write:.1f} | {load:.3f} | {load / read:.1f}"
    tokens = f"{known_tokens:,} | {len(trace.token_texts):,}"
    print(f"| {canvases} | {tokens} | {len(data) / 1e6:.2f} | {times} |", flush=True)


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alternatives-from", type=int, nargs="+", default=[4_000, 20_000, VOCABULARY])
    options = parser.parse_args()
    print(f"numpy {np.__version__}, Python {platform.python_version()}, one thread.\n")
    print("| canvases | alternatives from | different tokens | file, MB | save, s | / write | open, s | / read |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder:
        for canvases in (1, 64):
            for known_tokens in options.alternatives_from:
                measure(canvases, known_tokens, Path(folder))


if __name__ == "__main__":
    main()
