"""The trace of a run that tells less than everything: a log of another runtime, or a loop that hands over what it has.

What is not known of a step is NaN, false, 0 or :data:`~dgemma_viz.trace.model.UNKNOWN_TOKEN`, and what is known of none
stands in ``trace.facts.absent``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.derive import derived
from dgemma_viz.trace.model import INACTIVE_ROWS, UNKNOWN_TOKEN, RunFacts, Trace
from dgemma_viz.trace.schema import ARRAYS, MAY_LACK, RULED_OUT, TOKEN_ARRAYS

Array = npt.NDArray[Any]

_DERIVED_FROM = {"entropy_spent": ("entropy", "accepted"), "mean_entropy": ("entropy",)}


def empty_arrays(
    steps: Sequence[int], samples: int, lengths: Sequence[int], top_k: int, known: Iterable[str]
) -> dict[str, Array]:
    """Arrays of the steps that say nothing yet but where each step is.

    Parameters
    ----------
    steps, lengths
        Of each canvas: its steps, and its positions.
    known
        Names of what will be filled in; of :data:`~dgemma_viz.trace.schema.RULED_OUT` there are arrays only then.
    """
    length = max(lengths)
    sizes = {"S": sum(steps), "B": samples, "C": length, "K": top_k}
    arrays: dict[str, Array] = {}
    for name, spec in ARRAYS.items():
        if spec.axes.startswith("S"):
            nothing = UNKNOWN_TOKEN if name in TOKEN_ARRAYS else np.nan if spec.dtype.startswith("float") else 0
            arrays[name] = np.full([sizes[axis] for axis in spec.axes], nothing, dtype=spec.dtype)
    if not set(known).isdisjoint(RULED_OUT):
        arrays["banned"] = np.zeros_like(arrays["draft"])
        arrays["banned_draft"] = np.full_like(arrays["draft"], UNKNOWN_TOKEN)
    arrays["canvas"] = np.repeat(np.arange(len(steps)), steps)
    arrays["length"] = np.repeat(lengths, steps)
    arrays["decision"].swapaxes(1, 2)[np.arange(length) >= arrays["length"][:, None]] = NO_DECISION
    arrays["step_in_canvas"] = np.concatenate([np.arange(count) for count in steps])
    return arrays


def trace_of_arrays(
    arrays: dict[str, Array],
    known: Iterable[str],
    prompts: Sequence[Sequence[int]],
    facts: RunFacts,
    token_texts: Mapping[int, str],
    *,
    says_status: bool,
    inactive_rows: bool = True,
) -> Trace:
    """Trace of filled arrays, with what follows from them.

    Parameters
    ----------
    arrays
        From :func:`empty_arrays`, filled; and ``emitted`` and ``past_end``.
    known
        Names of what was filled in.
    prompts
        Token ids of each sample; empty if there are none.
    says_status
        Whether the facts' status stands; otherwise a run whose last canvas was not emitted counts as interrupted.
    inactive_rows
        Whether finished samples have steps of their own to the end of a canvas.

    Raises
    ------
    TraceError
        The arrays do not fit together.
    """
    if "banned" in arrays:
        arrays["banned"] = np.maximum(arrays["banned"], arrays["banned_draft"] != UNKNOWN_TOKEN)
        if not arrays["banned"].any():
            del arrays["banned"], arrays["banned_draft"]
    absent = {*MAY_LACK} - {*known}
    arrays |= derived(arrays)
    for name, sources in _DERIVED_FROM.items():
        if absent & set(sources):
            arrays[name] = np.full_like(arrays[name], np.nan)
            absent.add(name)
    if not inactive_rows:
        absent.add(INACTIVE_ROWS)
    whole = len(arrays["emitted"]) == arrays["canvas"][-1] + 1
    facts = replace(
        facts,
        absent=tuple(name for name in (*ARRAYS, INACTIVE_ROWS) if name in absent),
        status=facts.status if says_status else "complete" if whole else "interrupted",
    )
    arrays |= _padded(prompts or [()] * arrays["draft"].shape[1], facts)
    return Trace(**arrays, facts=facts, token_texts=token_texts)


def _padded(prompts: Sequence[Sequence[int]], facts: RunFacts) -> dict[str, Array]:
    """Prompts, left-padded as ``generate()`` takes them."""
    width, pad = max(map(len, prompts)), facts.pad_token_id or 0
    filler = pad if 0 <= pad < (facts.vocab_size or pad + 1) else 0
    ids = np.full((len(prompts), width), filler, dtype=np.int32)
    mask = np.zeros(ids.shape, dtype=bool)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = True
    return {"prompt": ids, "prompt_mask": mask}
