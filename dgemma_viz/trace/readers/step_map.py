"""Step maps: the final tokens, and the step at which each was revealed.

Read against the sources of

- dLLM-RL (Gen-Verse/dLLM-RL at 10b4fd1, 2026-01-28). ``sample/*_sample.py`` dump a list of problems, each with
  ``full_output`` and ``step_map``, a text and a list for each sample; steps count from 0 over the whole answer. Its
  engine for SDAR and TraDo, JetEngine, returns ``token_ids`` and ``first_unmask_times``, which count from 1 over the
  whole answer. The page of ``sample/get_trace_viewer.py`` holds ``pieces``, the tokens' texts, and ``step_map``.
- SGLang's pull request 27943 (as of June 2026): ``output_ids`` beside ``meta_info.step_maps``, which count from 1 anew
  in each block; LMDeploy's 4057, by its description alone: ``token_ids`` and ``step_map`` over the whole answer.

What is measured: the final tokens, and when each was revealed. The canvases between are derived. Steps that revealed
nothing leave no mark in most of them: none is made up, but numbers that are left out are steps that did.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.readers.known import Known, is_whole, prompt_of, whole_array
from dgemma_viz.trace.readers.states import States, trace_of_states
from dgemma_viz.trace.readers.text_frames import MASK_TEXT, numbered

Array = npt.NDArray[Any]

NAME = "step map"
HOLDS = (
    "'step_map', 'first_unmask_times' or 'meta_info.step_maps', beside 'token_ids', 'output_ids', 'pieces', or, with a "
    "tokenizer, 'full_output' or 'text'"
)

_STEPS = ("step_map", "step_maps", "first_unmask_times", "first_unmask_time")
_IDS = ("token_ids", "output_ids", "sequences")
_TEXTS = ("full_output", "text", "output")
_MOST_CELLS = 2**22
"""Steps x positions: a short list of numbers must not make a large trace. 2048 tokens, one a step."""
_NOISED = Notice(
    NoticeCode.NOISED_DERIVED,
    "the file holds final tokens and the step at which each was revealed; the canvases between are rebuilt from them. "
    "A token that was revealed, masked again or edited in between left no mark",
)
_ENCODED_AGAIN = Notice(
    NoticeCode.TOKENS_ENCODED_AGAIN,
    "the file holds no token ids: the text was encoded again and has as many tokens as the step map, but the model may "
    "have written it in other tokens",
)


def fits(content: Any) -> bool:
    """Whether there is a step map in it."""
    return next(_records(content), None) is not None


def read(content: Any, known: Known) -> dict[str, Trace]:
    """One run for each sample of each record."""
    traces: dict[str, Trace] = {}
    alone = isinstance(content, dict)
    for number, record in _records(content):
        samples = list(_samples(record))
        for index, (steps, tokens) in enumerate(samples):
            name = ".".join([*([] if alone else [str(number)]), *([str(index)] if len(samples) > 1 else [])])
            try:
                traces[name] = _trace(steps, tokens, record, known.beside(record))
            except TraceFileError as error:
                raise TraceFileError(f"{f'run {name}: ' if name else ''}{error}") from error
    if not traces:
        raise TraceFileError("no step map in it has any steps: the run was told not to keep them")
    return traces


def _records(content: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Objects with a step map, and where they stand."""
    for number, record in enumerate(content if isinstance(content, list) else [content]):
        if isinstance(record, dict) and _step_maps(record) is not None:
            yield number, record


def _step_maps(record: Mapping[str, Any]) -> Any:
    of_sglang = record.get("meta_info")
    if isinstance(of_sglang, dict) and "step_maps" in of_sglang:
        return of_sglang["step_maps"]
    return next((record[name] for name in _STEPS if name in record), None)


def _samples(record: Mapping[str, Any]) -> Iterator[tuple[Array, Any]]:
    """Steps and tokens of each sample: an array of ids, or texts of tokens, or a text."""
    given = _step_maps(record)
    several = isinstance(given, list) and bool(given) and all(isinstance(one, list | str) for one in given)
    several |= isinstance(given, np.ndarray) and given.ndim > 1
    names = ("pieces", *_IDS, *_TEXTS)
    tokens = next((record[name] for name in names if isinstance(record.get(name), list | str | np.ndarray)), None)
    if tokens is None:
        raise TraceFileError(f"there are no tokens beside the step map: give {', '.join(map(repr, names))}")
    if several and len(tokens) != len(given):
        raise TraceFileError(f"there are {len(given)} step maps, but {len(tokens)} outputs")
    for one, its in zip(given if several else [given], tokens if several else [tokens], strict=True):
        if not isinstance(one, list | str) or one:
            steps = whole_array(one)
            if steps is None or steps.ndim != 1:
                raise TraceFileError("the step map must be a list of whole numbers, one for each token")
            yield steps, its


def _trace(steps: Array, tokens: Any, record: Mapping[str, Any], known: Known) -> Trace:
    notices, texts = [_NOISED], None
    if isinstance(tokens, str):
        ids = _encoded(tokens, len(steps), known)
        notices.append(_ENCODED_AGAIN)
    elif isinstance(tokens, list) and all(isinstance(piece, str) for piece in tokens):
        rows, texts, number, numbering = numbered([[*tokens, MASK_TEXT]])
        ids, known = rows[0, :-1], Known(None, number, known.prompt_length, known.block_length)
        notices.append(numbering)
    else:
        found = whole_array(tokens)
        if found is None or found.reshape(-1).shape != (found.size,) or found.ndim != 1 or found.min() < 0:
            raise TraceFileError("the tokens must be a list of token ids, or of their texts")
        ids = found
    if len(ids) != len(steps):
        raise TraceFileError(f"the text has {counted(len(ids), 'token')}, but the step map has {len(steps)}")
    mask = known.mask_token_id
    if mask is None:
        mask = int(ids.max()) + 1
        known = Known(known.tokenizer, mask, known.prompt_length, known.block_length)
        texts = known.texts(ids)[0] | {mask: MASK_TEXT}
        said = f"the file does not name a mask token: what is not revealed yet is shown as token {mask}, which it lacks"
        notices.append(Notice(NoticeCode.MASK_INFERRED, said))
    prompt = prompt_of(record)
    facts = known.facts(record, NAME, notices)
    canvases = _canvases(steps, ids, mask, _blocks(steps, record, known))
    return trace_of_states(canvases, known, facts, [prompt] if prompt else (), texts)


def _encoded(text: str, wanted: int, known: Known) -> Array:
    if known.tokenizer is None:
        raise TraceFileError(
            "it holds text and no token ids: give the model's tokenizer as load_trace(..., tokenizer=...)"
        )
    ids = np.array(known.tokenizer.encode(text, add_special_tokens=False), dtype=np.int32)
    if len(ids) != wanted:
        raise TraceFileError(
            f"its text makes {counted(len(ids), 'token')} when it is encoded again, but the step map has {wanted}: "
            "the model wrote it in other tokens (or this is not its tokenizer). Save the token ids beside it, as "
            "'token_ids'"
        )
    return ids


# -- canvases ----------------------------------------------------------------------------------------------------


def _blocks(steps: Array, record: Mapping[str, Any], known: Known) -> list[slice]:
    """Positions of each block, where blocks are known; else one for all.

    Blocks are counted from the first token of the answer, or, where that does not go with the steps, of the prompt.
    """
    length, anew = known.block_length, isinstance(record.get("meta_info"), dict) or "step_maps" in record
    if length is None:
        if anew and len(steps) > 1:
            raise TraceFileError(
                "SGLang counts the steps anew in each block, so the length of a block must be known: give it as "
                "load_trace(..., block_length=32), say"
            )
        return [slice(0, len(steps))]
    prompt = known.prompt_length
    of_sglang = record.get("meta_info")
    if prompt is None and isinstance(of_sglang, dict) and is_whole(of_sglang.get("prompt_tokens")):
        prompt = int(of_sglang["prompt_tokens"])
    of_prompt = length - (prompt or 0) % length
    for first in (of_prompt,) if anew else (length, of_prompt):
        ends = [*range(first, len(steps), length), len(steps)]
        blocks = [slice(begin, end) for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        if anew or all(steps[a].max() < steps[b].min() for a, b in pairwise(blocks)):
            return blocks
    raise TraceFileError(
        f"its blocks of {length} overlap in time: a later one begins before an earlier one is done. Leave "
        "block_length out, or give the prompt's length, too, where blocks are counted from the start of the prompt"
    )


def _canvases(steps: Array, ids: Array, mask: int, blocks: list[slice]) -> list[States]:
    """The canvases of each block, before its first step and after each."""
    if sum((int(np.ptp(steps[block])) + 1) * (block.stop - block.start) for block in blocks) > _MOST_CELLS:
        raise TraceFileError(
            f"steps x tokens are more than {_MOST_CELLS:,}; give the length of its blocks as load_trace(..., "
            "block_length=...)"
        )
    states = []
    for block in blocks:
        here, tokens = steps[block], ids[block]
        shown = here < 0
        first, last = (int(here[~shown].min()), int(here[~shown].max())) if not shown.all() else (0, 0)
        ends = np.arange(first - 1, last + 1)[:, None]
        states.append(States(np.where(shown | (here <= ends), tokens, mask)[:, None].astype(np.int32)))
    return states
