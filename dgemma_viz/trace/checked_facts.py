"""What each run fact may hold when it comes from a file: types, ranges and depth, judged before anything uses it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from dgemma_viz.errors import TraceError
from dgemma_viz.plain_text import whole_characters
from dgemma_viz.trace.notice import Notice
from dgemma_viz.trace.sampler_kinds import SAMPLER_KINDS

_TEXTS = ("model_id", "model_class", "sampler", "device", "dtype", "started", "status", "error")
_OBJECTS = ("settings", "task", "versions")
_LISTS = {"eos_token_ids": int, "absent": str}
_TOKEN = range(-(2**31), 2**31)
"""Ids are held in 32 bits; some tokenizers say -1 for a token that they do not have."""
_WHOLE = {
    "vocab_size": range(2**31),
    "pad_token_id": _TOKEN,
    "mask_token_id": _TOKEN,
    "seed": range(-(2**63), 2**64),  # what torch takes
}
_DEEPEST = 32
"""Levels of settings and task: Python reads deeper JSON than it can copy, compare and write."""


def checked_facts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Values for :class:`~dgemma_viz.trace.model.RunFacts`: the same, with tuples for lists.

    Raises
    ------
    TraceError
        Names the fact and what it must be.
    """
    values = dict(data)
    for name in _TEXTS:
        _require(isinstance(values.get(name, ""), str), name, "str")
    if (kind := values.get("sampler_kind", "")) not in ("", *SAMPLER_KINDS):
        raise TraceError(f"run fact 'sampler_kind' is not one of {', '.join(map(repr, SAMPLER_KINDS))}: {kind!r:.40}")
    for name in _OBJECTS:
        value = values.get(name, {})
        _require(isinstance(value, dict), name, "dict")
        _check_parts(name, value)
    _require(
        all(isinstance(version, str) for version in values.get("versions", {}).values()), "versions", "dict of str"
    )
    for name, item in _LISTS.items():
        value = values.get(name, [])
        _require(
            isinstance(value, list) and all(type(part) is item for part in value), name, f"list of {item.__name__}"
        )
        values[name] = tuple(value)
    for name, allowed in _WHOLE.items():
        value = values.get(name, 0)
        known = type(value) is int and value in allowed
        _require(known or (value is None and name != "vocab_size"), name, _between(allowed))
    _require(all(token in _TOKEN for token in values["eos_token_ids"]), "eos_token_ids", f"list of {_between(_TOKEN)}")
    if (special := values.get("special_token_ids")) is not None:
        fits = isinstance(special, list | tuple) and all(type(token) is int and token in _TOKEN for token in special)
        _require(fits, "special_token_ids", f"list of {_between(_TOKEN)}")
        values["special_token_ids"] = tuple(special)
    if (span := values.get("output_span")) is not None:
        values["output_span"] = _span(span)
    values["notices"] = _notices(values.get("notices", []))
    return {name: _whole(value) for name, value in values.items()}


def _require(fits: bool, name: str, wanted: str) -> None:
    if not fits:
        raise TraceError(f"run fact '{name}' is not {wanted}")


def _between(allowed: range) -> str:
    return f"int from {allowed[0]} to {allowed[-1]}"


def _check_parts(name: str, value: Any) -> None:
    """Judge what an object holds level by level, since recursion is what must not be needed."""
    level = [value]
    for _ in range(_DEEPEST):
        parts = [part for outer in level for part in (outer.values() if isinstance(outer, dict) else outer)]
        if any(isinstance(part, int) and abs(part) > sys.float_info.max for part in parts):
            raise TraceError(f"run fact '{name}' holds a whole number beyond the range of floating-point numbers")
        level = [part for part in parts if isinstance(part, dict | list)]
        if not level:
            return
    raise TraceError(f"run fact '{name}' is nested deeper than {_DEEPEST} levels")


def _whole(value: Any) -> Any:
    """The same without halves of surrogate pairs, which could be neither shown nor sent anywhere."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, dict):
        return {whole_characters(name): _whole(part) for name, part in value.items()}
    return type(value)(map(_whole, value)) if isinstance(value, list | tuple) else value


def _notices(value: Any) -> tuple[Notice, ...]:
    fits = isinstance(value, list) and all(
        isinstance(one, dict)
        and isinstance(one.get("text"), str)
        and isinstance(one.get("code", ""), str)
        and one.keys() <= {"code", "text"}
        for one in value
    )
    _require(fits, "notices", "list of objects that hold a 'text' and may hold a 'code'")
    return tuple(Notice(*(whole_characters(one.get(name, "")) for name in ("code", "text"))) for one in value)


def _span(value: Any) -> tuple[int, int]:
    if isinstance(value, list | tuple) and [type(part) for part in value] == [int, int] and 0 <= value[0] <= value[1]:
        return value[0], value[1]
    raise TraceError("run fact 'output_span' is not a begin and an end, counted from 0")


def shown(names: Iterable[str]) -> list[str]:
    """The first few of unknown names, shortened: a file may hold any number of any length."""
    return [name[:40] for name in sorted(names)[:5]]
