"""Host memory of one generation, bare and watched as in ``benchmarks/recording.py``, and what a recording keeps.

    python benchmarks/recording_memory.py    # two minutes on two cores

Peaks are the resident peaks of a process of its own for each way, the model included. What is kept must grow with
steps x positions alone, whatever the vocabulary: the first table counts the arrays of recorded traces.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from pathlib import Path

import torch
from recording import CASES, WAYS, base_of, ways_of

import dgemma_viz as dv
from dgemma_viz.trace import ARRAYS


def kept(name: str, steps: int) -> None:
    """Print how much of a recorded run stays in host memory, for each step and position."""
    case = CASES[name](steps)
    length = case.model.config.canvas_length
    case.arguments |= {"max_denoising_steps": steps, "max_new_tokens": length, "stability_threshold": None}
    with dv.record(case.model, case.tokenizer) as recording:
        case.generate()
    trace = recording.trace
    held = sum(getattr(trace, array).nbytes for array in ARRAYS)
    print(f"| {name} | {trace.n_steps} x {length} | {held / 1e3:.0f} | {held / trace.draft.size:.1f} |", flush=True)


def peak(name: str, way: str, steps: int) -> int:
    """Resident peak in bytes of a process that runs one way once."""
    command = [sys.executable, __file__, name, way, "--steps", str(steps)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this script itself
    return int(found.stdout.splitlines()[-1])


def own_peak() -> int:
    """Resident peak of this process in bytes; ``ru_maxrss`` begins with what the parent held when it forked."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def memory(name: str, steps: int) -> None:
    """Print the peak of each way over that of the bare call."""
    peaks = {way: peak(name, way, steps) for way in ways_of(name)}
    for way, own in peaks.items():
        more = own - peaks[base_of(way)]
        print(f"| {name} | {way} | {own / 2**20:.0f} | {more / 2**20:+.0f} |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Measure and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("one", nargs="*", help="model and way: run this one alone and print its peak in bytes")
    parser.add_argument("--steps", type=int, default=2, help="denoising steps of the wide model")
    options = parser.parse_args(arguments)
    if options.one:
        name, way = options.one
        case = CASES[name](options.steps)
        torch.set_num_threads(case.threads)
        WAYS[way](case)
        print(own_peak())
        return
    print("| model | steps x positions | host memory kept, kB | bytes each |\n| --- | --- | ---: | ---: |")
    for steps in (12, 24, 48):
        kept("bundled", steps)
    kept("wide", options.steps)
    print("\n| model | way | peak host memory, MiB | over bare |\n| --- | --- | ---: | ---: |")
    for name in ("bundled", "wide"):
        memory(name, options.steps)


if __name__ == "__main__":
    main()
