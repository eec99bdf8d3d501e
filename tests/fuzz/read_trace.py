"""Let a coverage-guided fuzzer look for a file that the trace reader does not survive; not part of the tests.

``python -m tests.fuzz.read_trace -max_total_time=600`` in an environment that has ``atheris`` besides the package's
numpy and safetensors; further arguments are libFuzzer's. Every input is read as a file: a trace, or an error of ours.
The first inputs are valid traces of both formats, cut small. What brings the reader down is left as ``crash-*``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["dgemma_viz.trace"]):
    from dgemma_viz.errors import DgemmaVizError
    from dgemma_viz.trace import load_trace, save_json_lines, save_trace

from tests.synthetic import synthetic_trace

FOLDER = Path(tempfile.mkdtemp(prefix="dgemma-viz-fuzz-"))


def seeds(folder: Path) -> Path:
    """Valid files to begin with."""
    folder.mkdir()
    for samples in (1, 2):
        texts = ("<pad>", "<eos>", "a", "b") if samples == 1 else ["word"] * 12  # which are compressed
        trace = synthetic_trace(samples=samples, length=2, steps=2, texts=texts)
        save_trace(trace, folder / f"{samples}.safetensors")
        save_json_lines(trace, folder / f"{samples}.jsonl")
    return folder


def read(data: bytes) -> None:
    path = FOLDER / "input"
    path.write_bytes(data)
    try:
        trace = load_trace(path)
    except DgemmaVizError:
        return
    save_trace(trace, FOLDER / "again.safetensors")
    save_json_lines(trace, FOLDER / "again.jsonl")


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Any change, but in half of the safetensors files one after which the header has the length that it says."""
    length = int.from_bytes(data[:8], "little")
    if seed % 2 or not 0 < length <= len(data) - 8:
        return bytes(atheris.Mutate(data, most))
    header, values = data[8 : 8 + length], data[8 + length :]
    if seed % 4:
        header = bytes(atheris.Mutate(header, max(1, most - 8 - len(values))))
    else:
        values = bytes(atheris.Mutate(values, max(1, most - 8 - length)))
    return (len(header).to_bytes(8, "little") + header + values)[:most]


if __name__ == "__main__":
    corpus = seeds(FOLDER / "seeds")
    limits = ["-max_len=8192", "-timeout=20", "-rss_limit_mb=2048"]
    atheris.Setup([*sys.argv, *limits, str(corpus)], read, custom_mutator=mutate)
    atheris.Fuzz()
