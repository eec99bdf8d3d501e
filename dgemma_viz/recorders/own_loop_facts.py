"""What is known of an own loop apart from its steps: what its user says, and what the tokenizer knows."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

import dgemma_viz
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.tokenizer_match import check_tokenizer
from dgemma_viz.trace.model import RunFacts

_FOUND_OUT = ("mask_token_id", "status", "error", "notices", "absent")
"""Facts that are not given by name: they have arguments of their own, or follow from the run."""


def facts_given(given: Mapping[str, Any], tokenizer: Any, mask_token_id: int | None) -> RunFacts:
    """Facts of a run that begins.

    Parameters
    ----------
    given
        Fields of :class:`~dgemma_viz.trace.model.RunFacts` by name.
    tokenizer
        A tokenizer, for what was not given; or None.
    mask_token_id
        Id of the mask token, or None.

    Raises
    ------
    RecordingError
        A fact is unknown or no JSON, this is not a tokenizer, or it has no such mask token.
    """
    known = {field.name for field in fields(RunFacts)} - {*_FOUND_OUT}
    if unknown := sorted(set(given) - known):
        raise RecordingError(f"there is no fact {unknown[0]!r}; a run has {', '.join(sorted(known))}")
    if isinstance(name := given.get("model_id"), str):
        given = {**given, "model_id": _shared_name(name)}
    size = 0
    if tokenizer is not None:
        check_tokenizer(tokenizer, len(tokenizer) if hasattr(tokenizer, "__len__") else 0, ())
        size = len(tokenizer)
    eos = getattr(tokenizer, "eos_token_id", None)
    found: dict[str, Any] = {
        "vocab_size": size,
        "eos_token_ids": [] if eos is None else [eos],
        "pad_token_id": getattr(tokenizer, "pad_token_id", None),
        "versions": {"dgemma_viz": dgemma_viz.__version__, "python": platform.python_version()},
        "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    try:
        facts = RunFacts.from_json(json.loads(json.dumps(found | dict(given), default=_plain)))
    except (TypeError, ValueError) as error:
        raise RecordingError(f"the facts of a run must be JSON types (text, numbers, lists, ...): {error}") from error
    if mask_token_id is not None and not 0 <= int(mask_token_id) < (facts.vocab_size or 2**31):
        raise RecordingError(
            f"the mask token {mask_token_id} is outside the vocabulary of {facts.vocab_size:,}: pass the id that the "
            "loop writes into the canvas"
        )
    return replace(facts, mask_token_id=None if mask_token_id is None else int(mask_token_id))


def _shared_name(name: str) -> str:
    """Of a local folder its last component alone: traces are shared, paths are not."""
    local = name.startswith(("/", "~", ".", "\\")) or name[1:3] in (":\\", ":/")
    return name.replace("\\", "/").rstrip("/").rpartition("/")[2] if local else name


def _plain(value: Any) -> Any:
    """Numbers and arrays of numpy as JSON types."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none")
