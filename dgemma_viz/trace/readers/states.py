"""From the canvases that stood before and after each step to a trace: what follows from them, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.cut_emission import end_token
from dgemma_viz.trace.decision import is_accepted, masked_outcome
from dgemma_viz.trace.logged_layout import MOST_CELLS
from dgemma_viz.trace.model import UNKNOWN_TOKEN, RunFacts, Trace
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING, moved
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.partial_run import empty_arrays, trace_of_arrays
from dgemma_viz.trace.readers.known import Known

Array = npt.NDArray[Any]

DRAFTS_ARE_CANVASES = Notice(
    NoticeCode.DRAFT_DERIVED,
    "the file holds no drafts: shown as such is what stood in the canvas after each step, with the mask where "
    "nothing was revealed yet",
)
DRAFTS_ARE_PROPOSALS = Notice(
    NoticeCode.DRAFT_DERIVED,
    "the file holds what each step proposed (x0), which is the most probable token only if nothing was sampled: it is "
    "shown as candidate and as draft",
)
ACCEPTED_FROM_CANVASES = Notice(
    NoticeCode.DECISIONS_INFERRED, "which positions a step revealed is derived from the canvases before and after it"
)


@dataclass(frozen=True)
class States:
    """One canvas of a run of a mask-token model.

    Attributes
    ----------
    canvases
        Token ids before the first step and after each, int ``(T + 1, B, C)``.
    proposed
        Token ids that each step proposed, ``(T, B, C)``, if they are known.
    emitted
        Token ids that went into the output, ``(B, C)``, where they may be other than the last canvas.
    """

    canvases: Array
    proposed: Array | None = None
    emitted: Array | None = None


def trace_of_states(
    states: Sequence[States], known: Known, facts: RunFacts, prompts: Sequence[Sequence[int]] = (), texts: Any = None
) -> Trace:
    """Trace of canvases of masks; ``texts`` of tokens are those of the known tokenizer if none are given.

    Where masks are left in the last one, and nothing says what was emitted, the run counts as interrupted.

    Raises
    ------
    TraceFileError
        Nothing happened in them, or positions did not keep their meaning.
    """
    mask = facts.mask_token_id
    if mask is None:
        raise TraceFileError("the mask token is not known: give it as load_trace(..., mask_token_id=...)")
    for canvas, one in enumerate(states):
        _require_meaning(one, canvas, mask, facts.pad_token_id)
    arrays, known_arrays = _arrays([one.canvases for one in states], {"noised", "draft", "accepted", "decision"})
    first = 0
    for one in states:
        before, after = one.canvases[:-1], one.canvases[1:]
        here = (slice(first, first + len(before)), slice(None), slice(before.shape[2]))
        arrays["noised"][here] = before
        arrays["draft"][here] = after if one.proposed is None else one.proposed
        arrays["decision"][here] = masked_outcome(before, after, mask)
        arrays["accepted"][here] = is_accepted(arrays["decision"][here])
        if one.proposed is not None:
            arrays["candidate"][here] = one.proposed
            known_arrays.add("candidate")
        first += len(before)
    last = states[-1]
    over = last.emitted is not None or not (last.canvases[-1] == mask).any()  # or its end is not in the file
    arrays |= _emitted([_held(one) for one in (states if over else states[:-1])], arrays["draft"].shape[1:], facts)
    drafts = DRAFTS_ARE_CANVASES if "candidate" not in known_arrays else DRAFTS_ARE_PROPOSALS
    facts = replace(facts, notices=(*facts.notices, ACCEPTED_FROM_CANVASES, drafts))
    return _finished(arrays, known_arrays, prompts, facts, known, texts)


def trace_of_drafts(drafts: Array, known: Known, facts: RunFacts, texts: Any = None) -> Trace:
    """Trace of what each step held or proposed, ``(T, B, C)``, where nothing says what it read or decided."""
    arrays, known_arrays = _arrays([np.concatenate([drafts[:1], drafts])], {"draft"})
    arrays["draft"][:] = drafts
    arrays |= _emitted([drafts[-1]], drafts.shape[1:], facts)
    return _finished(arrays, known_arrays, (), facts, known, texts)


def _arrays(canvases: Sequence[Array], names: set[str]) -> tuple[dict[str, Array], set[str]]:
    """Arrays without contents, after sizes were judged."""
    counts, lengths = [len(one) - 1 for one in canvases], [one.shape[2] for one in canvases]
    samples = canvases[0].shape[1]
    if not all(counts):
        raise TraceFileError("there is one canvas only: a step lies between two")
    if sum(counts) * samples * max(lengths) > MOST_CELLS:
        raise TraceFileError(f"the run has more than {MOST_CELLS:,} values of one kind; split it by request")
    arrays = empty_arrays(counts, samples, lengths, 1, names)
    arrays["active"][:] = True
    return arrays, names


def _finished(
    arrays: dict[str, Array],
    known_arrays: set[str],
    prompts: Sequence[Sequence[int]],
    facts: RunFacts,
    known: Known,
    texts: Any,
) -> Trace:
    special = facts.special_token_ids
    if texts is None:
        ids = [
            array[array >= 0] for name in ("noised", "draft", "candidate", "emitted") if (array := arrays[name]).size
        ]
        texts, special = known.texts(np.concatenate([*ids, *(np.asarray(prompt, dtype=int) for prompt in prompts)]))
    facts = replace(facts, special_token_ids=special)
    return trace_of_arrays(arrays, known_arrays, prompts, facts, texts, says_status=False)


def _held(states: States) -> Array:
    """What was emitted, or what the canvas held in the end."""
    held: Array = states.canvases[-1] if states.emitted is None else states.emitted
    return held


def _emitted(canvases: Sequence[Array], shape: tuple[int, ...], facts: RunFacts) -> dict[str, Array]:
    """Emitted tokens ``(N, B, C)``, and which samples had ended before each canvas."""
    samples, longest = shape
    ids = np.full((len(canvases), samples, longest), UNKNOWN_TOKEN, dtype=np.int32)
    past_end = np.zeros(ids.shape[:2], dtype=bool)
    for number, one in enumerate(canvases):
        ids[number, :, : one.shape[1]] = one
        for sample in range(samples) if number else ():
            past_end[number, sample] = past_end[number - 1, sample] or (
                end_token(canvases[number - 1][sample], facts) is not None
            )
    return {"emitted": ids, "past_end": past_end}


def _require_meaning(states: States, canvas: int, mask: int, pad: int | None) -> None:
    """Refuse runs that insert or delete tokens."""
    rows = states.canvases
    for sample in range(rows.shape[1]):
        for step in range(len(rows) - 1):
            if seen := moved(rows[0, sample], rows[step, sample], rows[step + 1, sample], mask, pad):
                raise TraceFileError(
                    f"canvas {canvas}, sample {sample}, after step {step}: {seen}; {KEEP_THEIR_MEANING}"
                )
