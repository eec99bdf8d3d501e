"""Histories of token ids: the canvas after each step, what each step proposed (x0), or both.

Read against the sources of

- Dream (DreamLM/Dream at fac0a7f, 2025-08-22, whose remote code is that of dLLM-RL's ``models/dream``): with
  ``output_history=True``, ``history`` holds the whole sequence after each step, but not before the first;
  dLLM-RL's own loops for LLaDA and Dream (Gen-Verse/dLLM-RL at 10b4fd1, 2026-01-28) give the same.
- dllm (ZHZisZZ/dllm at ca17675, 2026-04-14): ``histories`` of a ``BaseSamplerOutput`` begin before the first step.
  Those of ``BD3LMSampler`` grow by a block at a time; those of ``EditFlowSampler`` insert and delete tokens, and are
  refused.

Each keeps a list of tensors in memory; what is read here is that list, stacked, in a file of arrays or as JSON lists::

    numpy.savez("run.npz", history=torch.stack(output.history).cpu(), sequences=output.sequences.cpu(),
                prompt_length=inputs.input_ids.shape[1], mask_token_id=model.config.mask_token_id)

``x0_history`` beside it, or alone, holds what each step proposed: ``(T, L)`` or ``(T, B, L)``, as ``history``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.readers.known import Known, inferred_mask, mask_is_inferred, whole_array
from dgemma_viz.trace.readers.states import DRAFTS_ARE_PROPOSALS, States, trace_of_drafts, trace_of_states

Array = npt.NDArray[Any]

NAME = "history"
HOLDS = "'history', 'histories' or 'x0_history': token ids after each step, (T, L) or (T, B, L), or a bare list of them"

_CANVASES = ("history", "histories")
_PROPOSED = ("x0_history", "x0_histories", "x0_hist", "x0")
_FIRST_IS_DERIVED = Notice(
    NoticeCode.FIRST_CANVAS_DERIVED,
    "the file begins after the first step; what that step read is taken to be the prompt and masks behind it",
)


def fits(content: Any) -> bool:
    """Whether there are token ids of several steps in it."""
    if isinstance(content, dict):
        return any(_steps(content.get(name)) is not None for name in (*_CANVASES, *_PROPOSED))
    return _steps(content) is not None


def read(content: Any, known: Known) -> dict[str, Trace]:
    """The run."""
    record = content if isinstance(content, dict) else {"history": content}
    known = known.beside(record)
    name = next((name for name in _CANVASES if _steps(record.get(name)) is not None), None)
    proposed = next((found for key in _PROPOSED if (found := _steps(record.get(key))) is not None), None)
    if proposed is not None and len({one.shape for one in proposed}) > 1:
        raise TraceFileError(
            "what its steps proposed differs in length: " + "give x0 of the same positions in all steps"
        )
    if name is None and proposed is not None:
        known = replace(known, mask_token_id=None)
        drafts = np.stack(proposed)[:, :, known.prompt_length or 0 :]
        if not drafts.size:
            raise TraceFileError(f"its prompt is to have {known.prompt_length} tokens, which is all that there is")
        return {"": trace_of_drafts(drafts, known, known.facts(record, NAME, [DRAFTS_ARE_PROPOSALS]))}
    snapshots = _steps(record[name]) if name else None
    if snapshots is None:
        raise TraceFileError("it holds no token ids of several steps")
    if len({one.shape for one in snapshots}) > 1:
        if proposed is not None:
            raise TraceFileError(
                "its sequences grow, so it cannot be told which of their tokens x0 is of: leave x0 out"
            )
        return {"": _growing(snapshots, record, known)}
    final = whole_array(record.get("sequences"))
    return {"": _fixed(np.stack(snapshots), name == "histories", final, proposed, record, known)}


def _steps(value: Any) -> list[Array] | None:
    """Token ids ``(B, L)`` of each step; L may grow. None if it is something else."""
    if isinstance(value, np.ndarray):
        array = whole_array(value)
        if array is None or array.ndim not in (2, 3):
            return None
        return list(array if array.ndim == 3 else array[:, None])  # noqa: PLR2004
    if not isinstance(value, list) or len(value) < 2 or not isinstance(value[0], list):  # noqa: PLR2004
        return None
    steps = [whole_array(one) for one in value]
    if any(
        one is None or one.ndim not in (1, 2) or one.ndim != (steps[0].ndim if steps[0] is not None else 0)
        for one in steps
    ):
        return None
    return [np.atleast_2d(one) for one in steps if one is not None]


def _fixed(
    snapshots: Array,
    begins_before: bool,
    final: Array | None,
    proposed: list[Array] | None,
    record: Mapping[str, Any],
    known: Known,
) -> Trace:
    """A run whose sequences all have one length ``L``; ``(T, B, L)``."""
    notices, known = _with_mask(snapshots, known)
    mask, prompt = known.mask_token_id, known.prompt_length
    length = snapshots.shape[2]
    if prompt is not None and prompt >= length:
        raise TraceFileError(
            f"its prompt is to have {counted(prompt, 'token')}, but its sequences have {length} in all"
        )
    if prompt is not None and not begins_before:
        begins_before = bool((snapshots[0, :, prompt:] == mask).all())
    if not begins_before:
        if prompt is None:
            raise TraceFileError(
                "a 'history' begins after its first step, so it does not show where the prompt ends: give "
                "load_trace(..., prompt_length=...), or save 'prompt_length' beside it (if it begins before the first "
                "step, name it 'histories')"
            )
        first = snapshots[0].copy()
        first[:, prompt:] = mask
        snapshots = np.concatenate([first[None], snapshots])
        notices.append(_FIRST_IS_DERIVED)
    spans = _spans(snapshots[0] == mask, prompt)
    canvases = _cut(snapshots, spans)
    whole = np.stack(proposed) if proposed is not None else None
    if whole is not None and whole.shape != (len(canvases) - 1, *snapshots.shape[1:]):
        raise TraceFileError(
            f"its history is of {counted(len(canvases) - 1, 'step')}, {counted(snapshots.shape[1], 'sequence')} and "
            f"{counted(length, 'token')} each, but x0 is {whole.shape}"
        )
    if final is not None and (final := np.atleast_2d(final)).shape != snapshots.shape[1:]:
        raise TraceFileError(f"'sequences' is {final.shape}, but a step of the history {snapshots.shape[1:]}")
    states = States(
        canvases,
        None if whole is None else _cut(whole, spans),
        None if final is None else _cut(final[None], spans)[0],
    )
    facts = known.facts(record, NAME, notices)
    return trace_of_states([states], known, facts, _prompts(snapshots[0], spans, facts.pad_token_id))


def _with_mask(snapshots: Array, known: Known) -> tuple[list[Notice], Known]:
    if known.mask_token_id is not None:
        return [], known
    if (mask := inferred_mask(snapshots)) is None:
        raise TraceFileError(
            "several tokens were replaced by others, so its mask token cannot be told: give load_trace(..., "
            "mask_token_id=...), or save 'mask_token_id' beside it. Of a model without one, save what each step "
            "proposed, as 'x0_history'"
        )
    return [mask_is_inferred(mask)], replace(known, mask_token_id=mask)


def _spans(masked: Array, prompt: int | None) -> list[slice]:
    """Positions of each sequence's canvas, equally many: behind the prompt, or from its first mask to its last."""
    length = masked.shape[1]
    if not masked.any(axis=1).all():
        raise TraceFileError(
            "a sequence of its first canvas holds no mask (token ids of another model's mask, perhaps?)"
        )
    if prompt is not None:
        return [slice(prompt, length)] * len(masked)
    begins, ends = masked.argmax(axis=1), length - masked[:, ::-1].argmax(axis=1)
    if len(set((ends - begins).tolist())) == 1:
        return [slice(int(begin), int(end)) for begin, end in zip(begins, ends, strict=True)]
    return [slice(int(begins.min()), int(ends.max()))] * len(masked)


def _cut(sequences: Array, spans: list[slice]) -> Array:
    """``(..., B, C)`` of ``(..., B, L)``."""
    return np.stack([sequences[:, sample, span] for sample, span in enumerate(spans)], axis=1)


def _prompts(sequences: Array, spans: list[slice], pad: int | None) -> list[list[int]]:
    """What stands before each canvas, without padding at its left."""
    prompts = []
    for ids, span in zip(sequences, spans, strict=True):
        given = ids[: span.start]
        real = given != (-1 if pad is None else pad)
        prompts.append(given[int(real.argmax()) if real.any() else len(given) :].tolist())
    return prompts


def _growing(snapshots: list[Array], record: Mapping[str, Any], known: Known) -> Trace:
    """A run whose sequences grow by a block at a time: each block is a canvas, first of masks alone."""
    lengths = [one.shape[1] for one in snapshots]
    if any(after < before for before, after in pairwise(lengths)):
        raise TraceFileError("its sequences become shorter: tokens were deleted, and a position must keep its meaning")
    if known.mask_token_id is None:
        raise TraceFileError(
            "its sequences grow, so its mask token cannot be told: give load_trace(..., mask_token_id=...)"
        )
    states, begin = [], lengths[0]
    for length in sorted({*lengths[1:]} - {begin}):
        block = np.stack([one[:, begin:] for one in snapshots if one.shape[1] == length])
        first = np.full_like(block[:1], known.mask_token_id)
        states.append(States(block if (block[0] == first[0]).all() else np.concatenate([first, block])))
        begin = length
    facts = known.facts(record, NAME, [_FIRST_IS_DERIVED])
    spans = [slice(lengths[0], None)] * len(snapshots[0])
    return trace_of_states(states, known, facts, _prompts(snapshots[0], spans, facts.pad_token_id))
