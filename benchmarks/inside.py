"""What looking inside one recorded step costs, beside one bare decoder pass and the replay that leads to it.

    python benchmarks/inside.py                    # some minutes on two cores
    python benchmarks/inside.py --models bundled   # seconds
    python benchmarks/inside.py --models released  # with a GPU of 80 GB: random weights in the released sizes

Models are those of ``benchmarks/recording.py``: the bundled one; ``wide``, the released vocabulary (262,144) and canvas
(256) on two thin layers; and ``deep``, the same on thirty. The last step of the recorded call is looked at. Each row
repeats the run to it with these parts kept. The bare pass, the same in every row, is that step's in a replay that looks
at nothing; what looking adds is the row's time less that replay's. Memory is the resident peak of a process of its own
over that of the replay alone (on a GPU: CUDA's peak). The file holds those parts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from recording import CASES, RELEASED, THIN, Case, random_weights
from recording_memory import own_peak

import dgemma_viz as dv
from dgemma_viz.labs.inside import Kept, inside
from dgemma_viz.labs.interventions import replay
from dgemma_viz.trace.inside import PARTS

DEEP = THIN | {key: RELEASED[key] for key in ("num_hidden_layers", "layer_types")}
MODELS: dict[str, Callable[[int], Case]] = {
    "bundled": CASES["bundled"],
    "wide": CASES["wide"],
    "deep": lambda steps: random_weights(DEEP, steps),
    "released": CASES["released, eager"],
}
WAYS: dict[str, tuple[str, ...]] = {
    "lens": ("lens",),
    "encoder lens": ("encoder_lens",),
    "attention": ("attention",),
    "experts": ("experts",),
    "self-conditioning": ("self_conditioning",),
    "three variants": ("variants",),
    "all": tuple(PARTS),
}
REPLAY = "replay"


def recorded(name: str, steps: int) -> tuple[Case, Any, tuple[int, int]]:
    """A recorded call, and the canvas and step to look at: the last of the first canvas."""
    case = MODELS[name](steps)
    torch.set_num_threads(case.threads)
    with dv.record(case.model, case.tokenizer) as recording:
        case.generate()
    trace = recording.trace
    return case, trace, (0, int((trace.canvas == 0).sum()) - 1)


def bare(case: Case, trace: Any, where: tuple[int, int]) -> tuple[float, float]:
    """Seconds of a replay to the step, and of the step's decoder pass in it."""
    passes = []

    def timed(at: tuple[int, int], forward: Callable[..., Any], **inputs: Any) -> Any:
        begin = now()
        output = forward(**inputs)
        if at == where:
            passes.append(now() - begin)
        return output

    begin = now()
    replay(case.model, case.tokenizer, trace, until=where, around_pass=timed)
    return now() - begin, passes[0]


def look(case: Case, trace: Any, where: tuple[int, int], way: str) -> tuple[float, Any]:
    """Seconds of an inside, replay included, and the inside."""
    begin = now()
    seen = inside(case.model, case.tokenizer, trace, *where, kept=Kept(WAYS[way]))
    return now() - begin, seen


def now() -> float:
    """The clock, once the device has nothing left to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak(name: str, way: str, steps: int) -> int:
    """Peak in bytes of a process that looks once in one way."""
    command = [sys.executable, __file__, "--one", name, way, "--steps", str(steps)]
    found = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this script itself
    return int(found.stdout.splitlines()[-1])


def own(name: str, way: str, steps: int) -> int:
    """Peak of the process itself after it looked once in one way."""
    case, trace, where = recorded(name, steps)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    bare(case, trace, where) if way == REPLAY else look(case, trace, where, way)
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else own_peak()


def measure(name: str, steps: int, repeats: int) -> None:
    """Print a row for each way."""
    case, trace, where = recorded(name, steps)
    bare(case, trace, where)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    replays, passes, sizes = [], [], {}
    for _ in range(repeats):
        whole, single = bare(case, trace, where)
        replays.append(whole)
        passes.append(single)
        for way, found in times.items():
            seconds, seen = look(case, trace, where, way)
            if seen.facts.agreement != "identical":
                raise SystemExit(f"'{way}' changed the run of {name}: {seen.facts.told}")
            found.append(seconds - whole)
            sizes[way] = size_of(seen)
    single, whole = statistics.median(passes), statistics.median(replays)
    before = peak(name, REPLAY, steps)
    for way, found in times.items():
        added = statistics.median(found)
        more = (peak(name, way, steps) - before) / 2**20
        print(f"| {name} | {way} | {single:.3f} | {whole:.3f} | {added:.3f} | {added / single:.1f} ", end="")
        print(f"| {more:+.0f} | {sizes[way] / 1e3:.0f} |", flush=True)


def size_of(seen: Any) -> int:
    """Bytes of its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "step.safetensors"
        seen.save(path)
        return path.stat().st_size


def main(arguments: list[str] | None = None) -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=["bundled", "wide"])
    parser.add_argument("--steps", type=int, default=2, help="denoising steps of the models of random weights")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--one", nargs=2, help="model and way: look once and print the peak in bytes")
    options = parser.parse_args(arguments)
    if options.one:
        print(own(*options.one, options.steps))
        return
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    print(f"{device}; torch {torch.__version__}, transformers {transformers.__version__}.\n")
    columns = ("model", "parts", "bare pass, s", "replay, s", "looking adds, s", "adds / pass", "peak, MiB", "file, kB")
    print(f"| {' | '.join(columns)} |\n| --- | --- | {'---: | ' * 6}".rstrip())
    for name in options.models:
        measure(name, options.steps, options.repeats)


if __name__ == "__main__":
    main()
