"""From the steps of an own loop, and what it emitted, to a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import RecordingError, TraceError
from dgemma_viz.recorders.own_loop_step import Array, OwnStep, as_array, per_position
from dgemma_viz.trace.cut_emission import end_token, whole_canvas
from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.logged_layout import MOST_CELLS
from dgemma_viz.trace.model import UNKNOWN_TOKEN, RunFacts, Trace
from dgemma_viz.trace.partial_run import empty_arrays, trace_of_arrays
from dgemma_viz.trace.schema import OF_A_DECISION, TOKEN_ARRAYS
from dgemma_viz.trace.tokenizer import TokenTexts


def trace_of_steps(
    facts: RunFacts, steps: Sequence[OwnStep], emitted: Sequence[Array], prompt: list[list[int]], texts: TokenTexts
) -> Trace:
    """Trace of the steps; a status other than "complete" in the facts stands.

    Raises
    ------
    RecordingError
        The number of prompts is not that of the samples, or the run is too large for a trace.
    """
    samples = steps[0].shape[0]
    if prompt and len(prompt) != samples:
        raise RecordingError(f"there are prompts for {counted(len(prompt), 'sample')}, but the steps have {samples}")
    arrays, known = _arrays(steps, facts.mask_token_id)
    if "finished" not in known:
        arrays["finished"] |= _stopped_early(steps, len(emitted), facts.settings.get("max_denoising_steps"))
    arrays |= _emitted(emitted, facts, arrays["draft"].shape[1:])
    ids = {int(token) for name in TOKEN_ARRAYS if name in arrays for token in np.unique(arrays[name]) if token >= 0}
    ids = ids.union(*prompt)
    if facts.special_token_ids is None:
        facts = replace(facts, special_token_ids=texts.special(ids))
    try:
        return trace_of_arrays(arrays, known, prompt, facts, texts.of(ids), says_status=facts.status != "complete")
    except TraceError as error:
        raise RecordingError(f"these steps make no trace: {error}") from error


def _arrays(steps: Sequence[OwnStep], mask: int | None) -> tuple[dict[str, Array], set[str]]:
    """Arrays of the steps, and the names of those that were handed over or follow from what was."""
    some_decide = any(not step.values.keys().isdisjoint(OF_A_DECISION) for step in steps)
    values = [step.values if some_decide and not step.decided else step.settled(mask) for step in steps]
    known = {name for one in values for name in one}
    canvases = [list(group) for _, group in groupby(steps, lambda step: step.canvas)]
    counts, lengths = [len(group) for group in canvases], [group[0].shape[1] for group in canvases]
    top_k = next((one["top_k_ids"].shape[-1] for one in values if "top_k_ids" in one), 1)
    samples = steps[0].shape[0]
    if len(steps) * samples * max(lengths) * top_k > MOST_CELLS:
        raise RecordingError(f"the run has more than {MOST_CELLS:,} values of one kind; record requests apart")
    arrays = empty_arrays(counts, samples, lengths, top_k, known)
    arrays["active"][:] = True
    for number, one in enumerate(values):
        for name, value in (_decision(one, known) | one).items():
            arrays[name][(number, slice(None), slice(value.shape[1])) if value.ndim > 1 else number] = value
    return arrays, known


def _decision(values: Mapping[str, Array], known: set[str]) -> dict[str, Array]:
    """Codes of a step that says only what it accepted, or that decided nothing although others do."""
    if values.keys().isdisjoint(OF_A_DECISION):
        return {} if known.isdisjoint(OF_A_DECISION) else {"decision": np.full_like(values["noised"], NO_DECISION)}
    return {"decision": values["accepted"]} if "accepted" in values else {}


def _stopped_early(steps: Sequence[OwnStep], emitted: int, limit: Any) -> Array:
    """Whether a canvas ended with a step, bool ``(S, 1)``, of canvases that were emitted before the step limit."""
    following = [*(step.canvas for step in steps[1:]), -1]
    ends = [
        step.canvas != after and step.canvas < emitted and not (isinstance(limit, int) and step.number + 1 >= limit)
        for step, after in zip(steps, following, strict=True)
    ]
    return np.array(ends)[:, None]


def _emitted(emitted: Sequence[Array], facts: RunFacts, shape: tuple[int, ...]) -> dict[str, Array]:
    """Emitted tokens ``(N, B, C)``, and which samples had ended before each canvas ``(N, B)``."""
    samples, length = shape
    ids = np.full((len(emitted), samples, length), UNKNOWN_TOKEN, dtype=np.int32)
    past_end = np.zeros(ids.shape[:2], dtype=bool)
    for canvas, rows in enumerate(emitted):
        ids[canvas, :, : rows.shape[1]] = rows
        past_end[canvas] = [_ended(emitted[:canvas], sample, facts) is not None for sample in range(samples)]
    return {"emitted": ids, "past_end": past_end}


def _ended(emitted: Sequence[Array], sample: int, facts: RunFacts) -> int | None:
    """The token that ended a sample's sequence in one of these canvases."""
    found = (end_token(canvas[sample], facts) for canvas in emitted)
    return next((end for end in found if end is not None), None)


def emitted_rows(
    where: str, tokens: Any, last: OwnStep, earlier: Sequence[Array], facts: RunFacts
) -> tuple[Array, Array]:
    """Emitted tokens of a canvas, and what the canvas held when they were: int ``(B, C)`` each.

    They differ where tokens were cut off: there a canvas held what the last step had left.

    Parameters
    ----------
    where
        For messages.
    tokens
        ``(C,)``, ``(B, C)``, or rows of different lengths.
    last
        The canvas's last step.
    earlier
        Emitted canvases before, ``(B, C)`` each.
    facts
        For the tokens that end and pad a sequence.

    Raises
    ------
    RecordingError
        These are not the token ids of this canvas, or they were cut where no sequence ends.
    """
    samples, length = last.shape
    rows = _rows(where, tokens)
    if len(rows) != samples or all(row.ndim == 1 and len(row) == length for row in rows):
        whole = per_position(where, "emitted", rows, last.shape)
        return whole, whole
    ids, held = np.zeros(last.shape, dtype=np.int32), _left(last)
    for sample, row in enumerate(rows):
        given = per_position(where, "emitted", row, None)[0] if row.size else np.zeros(0, dtype=np.int32)
        try:
            ids[sample] = whole_canvas(
                given, length, last.values["draft"][sample], _ended(earlier, sample, facts), facts
            )
        except TraceError as error:
            raise RecordingError(f"{where}: {error}") from error
        held[sample, : len(given)] = given
    return ids, held


def _rows(where: str, tokens: Any) -> list[Array]:
    if isinstance(tokens, list | tuple) and any(np.ndim(row) for row in tokens):  # may be ragged
        return [as_array(where, "emitted", row) for row in tokens]
    array = as_array(where, "emitted", tokens)
    return list(array) if array.ndim > 1 else [array]


def _left(last: OwnStep) -> Array:
    """What the last step left, as far as it says so: its candidate where it accepted that, else what it read."""
    values = last.values
    accepted = last.accepted if last.accepted is not None else values.get("accepted")
    if accepted is None or "candidate" not in values:
        return np.array(values["noised"])
    return np.where(accepted, values["candidate"], values["noised"])
