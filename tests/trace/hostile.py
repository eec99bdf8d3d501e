"""Files made to do harm: a valid trace of either format, taken apart so that any piece of it can be replaced.

Nothing here uses the safetensors library or the package's own writers for the damaged file: a header may say anything.
"""

from __future__ import annotations

import copy
import json
import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from dgemma_viz.trace import RunFacts, save_json_lines, save_trace
from tests.synthetic import synthetic_trace

if TYPE_CHECKING:
    from pathlib import Path

RAW = "\x01"
"""Before a string in a JSON value: what follows is written as it is."""

HOSTILE_JSON = (
    *(
        "0",
        "1",
        "-1",
        "2147483648",
        str(2**63),
        str(10**30),
        str(10**400),
        "9" * 5000,
        "1e999",
        "NaN",
        "-Infinity",
        "1.5",
    ),
    *("true", "null", '""', '"\\ud800"', '"' + "x" * 50_000 + '"', "[]", "{}", '{"":0}', "[null]", "[[1]]", "nonsense"),
    *("[" * 60 + "]" * 60, "[" * 3000 + "]" * 3000, '{"a":' * 60 + "1" + "}" * 60, '{"a":1,"a":[],"a":2}'),
    *("[" + "[]," * 20_000 + "[]]", "[" + "0," * 20_000 + "0]", "{" + '"":{},' * 5000 + '"":0}'),
)
"""JSON texts that a careless reader trips over; not all of them are JSON."""

BOMBS = ("[" + '"",' * 1_000_000 + '""]', '["' + "x" * 20_000_000 + '"]', " " * 20_000_000)
"""JSON texts that compress a thousandfold."""

DTYPES = ("U8", "I8", "U16", "I32", "U32", "I64", "U64", "F16", "BF16", "F32", "F64", "BOOL", "F8_E4M3", "C64", "X", "")


def hostile_json() -> st.SearchStrategy[str]:
    """A raw JSON text for any place."""
    return st.sampled_from(HOSTILE_JSON).map(lambda text: RAW + text)


def dumps(value: Any) -> str:
    """JSON in which strings marked with :data:`RAW` stand as they are."""
    if isinstance(value, str) and value.startswith(RAW):
        return value[1:]
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


@dataclass
class Stored:
    """A safetensors file in pieces: each array's ``[dtype, shape, bytes]``, and the metadata."""

    arrays: dict[str, list[Any]]
    metadata: dict[str, Any]

    @classmethod
    def of(cls, path: Path) -> Stored:
        blob = path.read_bytes()
        (length,) = struct.unpack("<Q", blob[:8])
        header, data = json.loads(blob[8 : 8 + length]), blob[8 + length :]
        metadata = header.pop("__metadata__")
        return cls(
            {name: [e["dtype"], e["shape"], data[slice(*e["data_offsets"])]] for name, e in header.items()}, metadata
        )

    def header(self) -> dict[str, Any]:
        """As the format wants it: arrays end to end in this order."""
        entries: dict[str, Any] = {"__metadata__": self.metadata}
        begin = 0
        for name, (dtype, shape, data) in self.arrays.items():
            entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, begin + len(data)]}
            begin += len(data)
        return entries

    def pack(self, header: str | None = None, length: int | None = None) -> bytes:
        text = (dumps(self.header()) if header is None else header).encode("utf-8", "surrogatepass")
        data = b"".join(part for _, _, part in self.arrays.values())
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    def facts(self) -> dict[str, Any]:
        return dict(json.loads(self.metadata["facts"]))


def valid_stored(folder: Path, **sizes: int) -> Stored:
    path = folder / "valid.safetensors"
    save_trace(synthetic_trace(**{"canvases": 2, "samples": 2, "length": 3, "steps": 3} | sizes), path)
    return Stored.of(path)


def valid_lines(folder: Path) -> list[dict[str, Any]]:
    trace = synthetic_trace(canvases=2, samples=2, length=3, steps=3)
    path = folder / "valid.jsonl"
    save_json_lines(replace(trace, facts=replace(trace.facts, seed=None)), path)
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@st.composite
def hostile_safetensors(draw: st.DrawFn, valid: Stored) -> bytes:
    """One or two kinds of damage, each in a place that a reader looks at."""
    stored = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 2))):
        draw(st.sampled_from([_other_array, _emptied, _renamed, _other_facts, _other_metadata, _other_texts]))(
            draw, stored
        )
    return _damaged_whole(draw, stored)


def _other_array(draw: st.DrawFn, stored: Stored) -> None:
    sizes = st.sampled_from([0, 1, 2, 3, 7, 2**16, 2**31, 2**32, 2**62, 2**63, 2**64, -1])
    array = stored.arrays[draw(st.sampled_from(sorted(stored.arrays)))]
    part = draw(st.integers(0, 2))
    if part == 0:
        array[0] = draw(st.sampled_from(DTYPES) | hostile_json())
    elif part == 1:
        array[1] = draw(st.lists(sizes, max_size=5) | hostile_json())
    else:
        array[2] = draw(st.sampled_from([b"\xff", b"\x02", b"\x80", b"\0"])) * len(array[2])


def _emptied(draw: st.DrawFn, stored: Stored) -> None:
    """No steps, and any size beside."""
    claimed = draw(st.lists(st.sampled_from([0, 1, 2**31, 2**40, 2**60]), min_size=3, max_size=3))
    for entry in stored.arrays.values():
        if isinstance(entry[1], list) and len(entry[1]) > 1:
            entry[1:] = [[0, *claimed][: len(entry[1])], b""]


def _renamed(draw: st.DrawFn, stored: Stored) -> None:
    array = stored.arrays.pop(draw(st.sampled_from(sorted(stored.arrays))))
    if draw(st.booleans()):
        stored.arrays[draw(st.sampled_from(["x" * 50_000, "", "canvas", "\ud800", "../up"]))] = array


def _other_facts(draw: st.DrawFn, stored: Stored) -> None:
    names = [*RunFacts.__dataclass_fields__, "x" * 50_000, ""]
    facts = draw(st.dictionaries(st.sampled_from(names), hostile_json(), min_size=1, max_size=2))
    stored.metadata["facts"] = dumps(RunFacts(vocab_size=100).to_json() | facts)


def _other_metadata(draw: st.DrawFn, stored: Stored) -> None:
    text = draw(st.sampled_from(HOSTILE_JSON))
    key = draw(st.sampled_from(["format", "schema_version", "facts", "other"]))
    stored.metadata[key] = draw(st.sampled_from([text, RAW + text]))


def _other_texts(draw: st.DrawFn, stored: Stored) -> None:
    text = draw(st.sampled_from([*HOSTILE_JSON, *BOMBS])).encode()
    if draw(st.booleans()):
        text = zlib.compress(text)[: draw(st.sampled_from([None, -1]))] + draw(st.sampled_from([b"", b"more"]))
    stored.arrays["token_texts"] = ["U8", [len(text)], text]


def _damaged_whole(draw: st.DrawFn, stored: Stored) -> bytes:
    """The file, and sometimes damage to its header as text, its length field, or its end."""
    kind = draw(st.sampled_from(["no", "no", "no", "offsets", "text", "length", "cut", "more"]))
    header = stored.header()
    if kind == "offsets":
        entry = header[draw(st.sampled_from(sorted(header)))]
        far = st.integers(-2, 40) | st.sampled_from([2**31, 2**63, 2**64 - 1])
        entry["data_offsets"] = draw(st.lists(far, min_size=2, max_size=2) | hostile_json())
        return stored.pack(dumps(header))
    if kind == "text":
        text = dumps(header)
        at = draw(st.integers(0, len(text)))
        return stored.pack(text[:at] + draw(st.sampled_from([*HOSTILE_JSON, '"a":1,', "\ud800", "\0"])) + text[at:])
    if kind == "length":
        return stored.pack(length=draw(st.sampled_from([0, 1, 2, 2**20, 2**31, 2**63, 2**64 - 1])))
    blob = stored.pack()
    return blob[: draw(st.integers(0, len(blob)))] if kind == "cut" else blob + b"\0" * 9 * (kind == "more")


@st.composite
def hostile_lines(draw: st.DrawFn, valid: list[dict[str, Any]]) -> bytes:
    """One value replaced, lines dropped, doubled or moved, bytes damaged."""
    lines = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 2))):
        line = lines[draw(st.integers(0, len(lines) - 1))]
        kind = draw(st.sampled_from(["value", "facts", "part", "everywhere", "drop", "double"]))
        key = draw(st.sampled_from([*line, "emitted", "sample", "draft", "decision", "phase"]))
        if kind == "facts" and isinstance(lines[0].get("facts"), dict):
            facts = lines[0]["facts"]
            facts[draw(st.sampled_from([*facts, "absent", "mask_token_id", "output_span"]))] = draw(hostile_json())
        elif kind == "part" and isinstance(line.get(key), list) and line[key]:
            line[key][draw(st.integers(0, len(line[key]) - 1))] = draw(hostile_json())
        elif kind == "everywhere":
            value = draw(hostile_json() | st.just([]))
            lines[1:] = [other | {key: value} if key in other else other for other in lines[1:]]
        elif kind == "drop" and len(lines) > 1:
            lines.remove(line)
        elif kind == "double":
            lines.append(copy.deepcopy(line))
        else:
            line[key] = draw(hostile_json())
    blob = "\n".join(map(dumps, lines)).encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(blob)))
    damage = draw(st.sampled_from([b"", b"", b"", b"\xff", b"\0", b"\n", b"{", b"\xed\xa0\x80", b'"a":1,"a":2,']))
    return blob[:at] + damage + blob[at:] if damage else blob
