"""A trace file is not to be trusted: whatever it holds, reading gives a trace or an error of ours, soon and small."""

import json
import math
import os
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dgemma_viz.errors import DgemmaVizError, TraceError, TraceFileError
from dgemma_viz.trace import ARRAYS, RunFacts, Trace, load_json_lines, load_trace
from tests.synthetic import synthetic_trace
from tests.trace.hostile import HOSTILE_JSON, RAW, dumps, hostile_lines, hostile_safetensors, valid_lines, valid_stored

LONGEST_MESSAGE = 2_000
HOSTILE = settings(max_examples=400, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


def read(path) -> Trace | DgemmaVizError:
    """The trace, or the error; in memory that the file's size bounds."""
    tracemalloc.start()
    try:
        result = load_trace(path)
    except DgemmaVizError as error:
        result = error
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(result, Trace) or len(str(result)) < LONGEST_MESSAGE, "a message is to be read"
    assert peak < 64 * path.stat().st_size + 8_000_000
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def stored(folder):
    return valid_stored(folder)


@pytest.fixture(scope="module")
def lines(folder):
    return valid_lines(folder)


@HOSTILE
@given(data=st.data())
def test_any_safetensors_file_is_a_trace_or_refused(folder, stored, data):
    path = folder / "any.safetensors"
    path.write_bytes(data.draw(hostile_safetensors(stored)))
    result = read(path)
    if isinstance(result, Trace):
        result.save(folder / "again.safetensors")


@HOSTILE
@given(data=st.data())
def test_any_lines_are_a_trace_or_refused(folder, lines, data):
    path = folder / "any.jsonl"
    path.write_bytes(data.draw(hostile_lines(lines)))
    result = read(path)
    if isinstance(result, Trace):
        result.save(folder / "again.safetensors")


@HOSTILE
@given(blob=st.binary(max_size=200), start=st.sampled_from([b"", b"{", b"\xef\xbb\xbf{", b"\x08" + b"\0" * 7 + b"{"]))
def test_any_bytes_are_refused(folder, blob, start):
    path = folder / "bytes"
    path.write_bytes(start + blob)
    assert isinstance(read(path), TraceFileError)


@pytest.mark.parametrize("key", ["schema_version", "facts", "format"])
def test_metadata_that_is_no_metadata(folder, stored, key):
    for text in (*HOSTILE_JSON, "²", "٣", "1" * 4000):
        (folder / "run").write_bytes(replace(stored, metadata={**stored.metadata, key: text}).pack())
        result = read(folder / "run")
        assert isinstance(result, TraceFileError) or (text, key) in {("{}", "facts"), ("1", "schema_version")}, result


@pytest.mark.parametrize("fact", list(RunFacts.__dataclass_fields__))
def test_facts_hold_what_can_be_used(folder, stored, lines, fact):
    """Facts are used, compared with tokens and written again, or refused."""
    facts = stored.facts()
    for text in HOSTILE_JSON:
        changed = facts | {fact: RAW + text}
        metadata = {**stored.metadata, "facts": dumps(changed)}
        (folder / "run").write_bytes(replace(stored, metadata=metadata).pack())
        (folder / "lines").write_text("\n".join(map(dumps, [lines[0] | {"facts": changed}, *lines[1:]])), "utf-8")
        for path in (folder / "run", folder / "lines"):
            result = read(path)
            if isinstance(result, Trace):
                result.save(folder / "again")
                again = load_trace(folder / "again").facts
                assert json.dumps(again.to_json()) == json.dumps(result.facts.to_json())
                assert result.output_text(0) is not None


def test_a_flag_is_0_or_1(folder):
    """What numpy makes of a bool that is another byte is not defined: it may change with version and machine."""
    for name in ("accepted", "active", "finished", "past_end", "prompt_mask"):
        stored = valid_stored(folder)
        dtype, shape, data = stored.arrays[name]
        stored.arrays[name] = [dtype, shape, b"\x02" * len(data)]
        if name == "accepted":
            stored.arrays["decision"][2] = b"\x01" * len(data)
        (folder / "run").write_bytes(stored.pack())
        with pytest.raises(TraceFileError, match=f"'{name}' holds bytes other than 0 and 1"):
            load_trace(folder / "run")


@pytest.mark.parametrize(
    ("steps", "samples", "length", "alternatives", "canvases", "prompt"),
    [
        (0, 2**60, 0, 0, 0, 0),
        (0, 0, 2**60, 2**60, 0, 0),
        (0, 2**20, 2**20, 2**20, 0, 0),
        (0, 1, 2**40, 1, 0, 0),
        (0, 0, 1, 1, 2**40, 0),
        (0, 0, 1, 1, 0, 2**40),
        (3, 0, 2**40, 1, 0, 0),
        (3, 1, 0, 2**40, 0, 0),
        (3, 500, 0, 1, 0, 0),
    ],
)
def test_sizes_without_values_are_refused(folder, steps, samples, length, alternatives, canvases, prompt):
    """An array without values may claim any size, and views would make room for it."""
    stored = valid_stored(folder, canvases=1, samples=1, length=1)
    sizes = {"S": steps, "B": samples, "C": length, "K": alternatives, "N": canvases, "P": prompt}
    widths = {"U8": 1, "U16": 2, "I32": 4, "F16": 2, "F32": 4, "F64": 8, "BOOL": 1}
    for name, spec in ARRAYS.items():
        shape = [sizes[axis] for axis in spec.axes]
        wanted = widths[stored.arrays[name][0]] * math.prod(shape)
        if wanted > 10_000:
            pytest.fail("the file would not be small")
        stored.arrays[name] = [
            stored.arrays[name][0],
            shape,
            (stored.arrays[name][2] * 9)[:wanted].ljust(wanted, b"\0"),
        ]
    (folder / "run").write_bytes(stored.pack())
    assert isinstance(read(folder / "run"), TraceFileError)


def lines_of(head, *rest):
    start = {"format": "dgemma_viz.lines", "version": 1, **head}
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in (start, *rest))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            lines_of(
                {},
                *({"step": step, "draft": []} for step in range(3000)),
                *({"sample": sample, "draft": []} for sample in range(1, 3000)),
            ),
            id="empty drafts",
        ),
        pytest.param(
            lines_of(
                {},
                *({"step": step, "draft": [1]} for step in range(3000)),
                *({"sample": sample, "draft": [1]} for sample in range(1, 3000)),
            ),
            id="many steps and many samples",
        ),
        pytest.param(
            lines_of(
                {"prompt": [[1] * 30_000, *([] for _ in range(2_000))]},
                *({"sample": sample, "draft": [1]} for sample in range(2_001)),
            ),
            id="many prompts beside a long one",
        ),
    ],
)
def test_lines_do_not_multiply(folder, text):
    (folder / "lines").write_text(text, "utf-8")
    result = read(folder / "lines")
    assert isinstance(result, TraceFileError), result


def test_many_canvases_do_not_hang(folder):
    """Whether a sample had ended was once asked of all canvases before, for each canvas."""
    lines = [{"canvas": i // 2, "draft" if i % 2 else "emitted": [1 + (i == 8)]} for i in range(40_000)]
    (folder / "lines").write_text(lines_of({"facts": {"eos_token_ids": [2, *range(50, 99)]}}, *lines), "utf-8")
    trace = load_trace(folder / "lines")
    assert trace.n_canvases == 20_000
    assert trace.past_end[:, 0].tolist() == [False] * 5 + [True] * 19_995


@pytest.mark.parametrize("texts", [{"4294967296": "x"}, {"2147483648": "x"}, {"٣": "x"}])
def test_a_text_belongs_to_a_token_id(folder, texts):
    (folder / "lines").write_text(lines_of({"token_texts": texts}, {"draft": [1]}), "utf-8")
    result = read(folder / "lines")
    if isinstance(result, Trace):
        result.save(folder / "again")


def test_deep_settings_are_refused():
    """Deeper than Python copies and writes, though not deeper than it reads."""
    deep = "[" * 700 + "]" * 700
    with pytest.raises(TraceError, match="'settings' is nested deeper than"):
        RunFacts.from_json({"settings": {"a": json.loads(deep)}})


def test_a_number_that_no_float_can_hold_is_refused():
    with pytest.raises(TraceError, match="'task' holds a whole number beyond the range"):
        RunFacts.from_json({"task": {"a": [1, -(10**400)]}})


def test_names_that_no_file_system_has(folder):
    for name in ("x" * 5000, "a\0b", "valid/below"):
        (folder / "valid").touch()
        for load in (load_trace, load_json_lines):
            with pytest.raises(TraceFileError):
                load(folder / name)


SPECIAL = """
import sys
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import load_json_lines, load_trace
for load in (load_trace, load_json_lines):
    try:
        load(sys.argv[1])
    except TraceFileError as error:
        print(error)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="only where there are such files")
def test_what_is_no_regular_file_is_refused_at_once(folder):
    """Opening a pipe waits for its other end, and reading /dev/zero never ends."""
    os.mkfifo(folder / "pipe")
    empty = folder / "empty"
    empty.mkdir()
    targets = [folder / "pipe", empty, "/dev/zero", "/dev/stdin"]
    links = [folder / f"link{number}" for number, _ in enumerate(targets)]
    for link, target in zip(links, targets, strict=True):
        link.symlink_to(target)
    for path in (*targets, *links):
        command = [sys.executable, "-c", SPECIAL, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                process.wait(timeout=60)
            finally:
                process.kill()
            said = process.stdout.read()
        of_folder = said.count("holds no file of a run")  # load_trace looks into folders
        assert said.count("not a regular file") + of_folder == 2, (path, said)


def test_a_link_to_a_trace_is_a_trace(folder):
    synthetic_trace().save(folder / "run.safetensors")
    (folder / "run-link").symlink_to(folder / "run.safetensors")
    assert load_trace(folder / "run-link").n_steps
