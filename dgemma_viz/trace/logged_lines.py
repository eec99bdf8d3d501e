"""The lines of a JSON-lines trace, one by one: each is read, judged on its own, and given as numpy arrays.

The format is described in :mod:`dgemma_viz.trace.json_lines`. Nothing in a line is trusted: sizes, types and ranges are
checked before anything is built from it, and every message names the line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace.checked_line import LARGEST_ID, CheckedLine
from dgemma_viz.trace.decision import Decision, Phase, is_accepted
from dgemma_viz.trace.model import UNKNOWN_TOKEN, RunFacts
from dgemma_viz.trace.older_facts import upgraded_facts
from dgemma_viz.trace.schema import DEFAULTED, OF_A_DECISION, RULED_OUT

Array = npt.NDArray[Any]

FORMAT = "dgemma_viz.lines"
VERSION = 4
"""2 takes canvases of different lengths, and steps without a decision; 3 takes what was ruled out; 4 takes notices
with codes in place of warnings among the facts. Lines of earlier versions are read in the same way."""
_OLDER_FACTS = 3
"""Last version whose facts are other than today's."""

LONGEST_LINE = 2**25
"""Bytes. A step of the released model with 8 alternatives takes 60 kB; a header with all its token texts 7 MB."""
LARGEST_FILE = 2**30
"""Bytes."""

TOKENS = ("noised", "candidate", "draft")
NUMBERS = ("entropy", "confidence", "candidate_probability")
ALTERNATIVES = ("top_k_ids", "top_k_probabilities")
FLAGS = ("active", "finished")
SCALARS = ("temperature", "entropy_bound", "wall_time")

_PLACE = ("canvas", "step", "sample")
_STEP_KEYS = {*_PLACE, *TOKENS, *NUMBERS, *ALTERNATIVES, *FLAGS, *SCALARS, "accepted", *DEFAULTED, *RULED_OUT}
_EMITTED_KEYS = {"canvas", "sample", "emitted", "past_end"}
_HEADER_KEYS = {"format", "version", "facts", "prompt", "token_texts"}
_MOST_DIGITS = 10
"""Of a token id: the largest has as many."""


@dataclass(frozen=True)
class Header:
    """First line."""

    facts: RunFacts
    says_status: bool
    prompt: list[list[int]]
    token_texts: dict[int, str]


@dataclass(frozen=True)
class StepLine:
    """One denoising step of one sample; ``values`` holds the keys that the line has."""

    number: int
    place: tuple[int, int, int]
    """Canvas, step, sample."""
    values: dict[str, Array]

    @property
    def decided(self) -> bool:
        """Whether it holds anything of a decision."""
        return not self.values.keys().isdisjoint(OF_A_DECISION)


@dataclass(frozen=True)
class EmittedLine:
    """Emitted tokens of one canvas of one sample."""

    number: int
    place: tuple[int, int]
    """Canvas, sample."""
    ids: Array
    past_end: bool | None


def read_objects(file: BinaryIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line numbers from 1 and the JSON object on each; empty lines are left out."""
    if os.fstat(file.fileno()).st_size > LARGEST_FILE:
        raise TraceFileError(f"the file is larger than {LARGEST_FILE:,} bytes; split the log by request")
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        if len(line) > LONGEST_LINE:
            raise TraceFileError(f"line {number} is longer than {LONGEST_LINE:,} bytes")
        if line.strip():
            yield number, _object(number, line)


def _object(number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
    except (ValueError, RecursionError) as error:
        raise TraceFileError(f"line {number} is not JSON: {str(error)[:200]}") from error
    if not isinstance(value, dict):
        raise TraceFileError(f"line {number} is not a JSON object")
    return value


def header(number: int, data: dict[str, Any]) -> Header:
    """Judge the first line."""
    line = CheckedLine(number, data, 0)
    if data.get("format") != FORMAT:
        raise TraceFileError(f'line {number} is not the header of a trace: it lacks "format": "{FORMAT}"')
    if not (type(version := data.get("version")) is int and 1 <= version <= VERSION):
        said = "something else" if isinstance(version, dict | list) else f"{version!r:.40}"
        raise TraceFileError(
            f'line {number} has "version": {said}; this dgemma_viz reads 1 to {VERSION} (a newer one: '
            "update it with 'pip install --upgrade dgemma-viz')"
        )
    line.only(_HEADER_KEYS)
    given = data.get("facts", {})
    try:
        facts = RunFacts.from_json(upgraded_facts(given) if version <= _OLDER_FACTS else given)
    except (TraceError, TypeError) as error:
        raise TraceFileError(f"line {number}: {error}") from error
    texts, prompt = data.get("token_texts", {}), data.get("prompt", [])
    if not isinstance(texts, dict) or not all(
        key.isdecimal() and len(key) <= _MOST_DIGITS and int(key) <= LARGEST_ID and isinstance(text, str)
        for key, text in texts.items()
    ):
        raise line.error("token_texts", "an object from token ids to texts")
    if not isinstance(prompt, list):
        raise line.error("prompt", "a list of token ids for each sample")
    return Header(
        facts,
        "status" in given,
        [CheckedLine(number, {"prompt": ids}, facts.vocab_size).ids("prompt").tolist() for ids in prompt],
        {int(key): text for key, text in texts.items()},
    )


def step_line(number: int, data: dict[str, Any], vocab_size: int) -> StepLine:
    """Judge a step."""
    data = {name: value for name, value in data.items() if value is not None or name not in OF_A_DECISION}
    line = CheckedLine(number, data, vocab_size)
    line.only(_STEP_KEYS)
    values: dict[str, Array] = {name: line.ids(name) for name in TOKENS if name in data}
    if "draft" not in values:
        raise TraceFileError(f"line {number} has neither 'draft' nor 'emitted'")
    if not len(values["draft"]):
        raise TraceFileError(f"line {number}: 'draft' must hold at least one token")
    values |= {name: line.numbers(name) for name in NUMBERS if name in data}
    values |= {name: np.array(line.flag(name)) for name in FLAGS if name in data}
    values |= {name: line.scalar(name) for name in SCALARS if name in data}
    values |= _outcome(line) | _ruled_out(line)
    if sum(name in data for name in ALTERNATIVES) == 1:
        raise TraceFileError(f"line {number}: 'top_k_ids' and 'top_k_probabilities' belong together")
    if ALTERNATIVES[0] in data:
        values |= {"top_k_ids": line.rows("top_k_ids", line.ids)}
        values |= {"top_k_probabilities": line.rows("top_k_probabilities", line.numbers)}
        if values["top_k_ids"].shape != values["top_k_probabilities"].shape:
            raise TraceFileError(f"line {number}: 'top_k_ids' and 'top_k_probabilities' differ in shape")
    length = len(values["draft"])
    for name, array in values.items():
        if array.ndim and len(array) != length:
            raise TraceFileError(
                f"line {number}: '{name}' has {counted(len(array), 'position')}, but 'draft' has {length}"
            )
    return StepLine(number, (line.place("canvas"), line.place("step"), line.place("sample")), values)


def _outcome(line: CheckedLine) -> dict[str, Array]:
    """What became of the positions, and in what kind of step."""
    values: dict[str, Array] = {}
    if "accepted" in line.data:
        values["accepted"] = line.flags("accepted")
    if "decision" in line.data:
        values["decision"] = CheckedLine(line.number, line.data, Decision.CORRECTED + 1).ids("decision")
        values.setdefault("accepted", is_accepted(values["decision"]))
    if "phase" in line.data:
        values["phase"] = np.array(line.place("phase"))
        if values["phase"] not in tuple(Phase):
            raise line.error("phase", f"a code from 0 to {max(Phase)}")
    return values


def _ruled_out(line: CheckedLine) -> dict[str, Array]:
    """Counts, and token ids with null for none; either may be there without the other."""
    values: dict[str, Array] = {}
    if "banned" in line.data:
        values["banned"] = line.counts("banned")
    if isinstance(listed := line.data.get("banned_draft"), list):
        ids = {"banned_draft": [0 if token is None else token for token in listed]}
        nothing = np.array([token is None for token in listed], dtype=bool)
        found = CheckedLine(line.number, ids, line.vocab_size).ids("banned_draft")
        values["banned_draft"] = np.where(nothing, UNKNOWN_TOKEN, found).astype(np.int32)
    elif "banned_draft" in line.data:
        raise line.error("banned_draft", "a list of token ids, with null for none")
    return values


def emitted_line(number: int, data: dict[str, Any], vocab_size: int) -> EmittedLine:
    """Judge emitted tokens."""
    line = CheckedLine(number, data, vocab_size)
    line.only(_EMITTED_KEYS)
    past_end = line.flag("past_end") if "past_end" in data else None
    return EmittedLine(number, (line.place("canvas"), line.place("sample")), line.ids("emitted"), past_end)
