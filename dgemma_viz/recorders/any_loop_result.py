"""What a loop returned, laid over the sequence that its passes read: the only sight of what the last pass decided.

Loops return the whole sequence, or the answer alone, often with something else beside it, and may cut it at its end.
Where it belongs, its tokens tell: all that is known of the sequence must stand in it. Where the model keeps its cache
inside itself, the passes show the last block alone, which is the end of what is returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.any_loop_runs import WatchedRun
from dgemma_viz.recorders.host_arrays import host_array
from dgemma_viz.recorders.own_loop_step import Array
from dgemma_viz.trace.model import UNKNOWN_TOKEN


@dataclass(frozen=True)
class Final:
    """What stands in a sequence at the end, ``(B, W)``, and where the loop threw away what had stood there."""

    ids: Array
    thrown_away: Array

    @classmethod
    def unknown(cls, run: WatchedRun) -> Final:
        """Nothing but what a look at the last tensor showed."""
        ids = np.full(run.state.shape, UNKNOWN_TOKEN, np.int32)
        if run.left is not None:
            ids[:, run.passes[-1].reading.span()] = run.left
        return cls(ids, np.zeros(ids.shape, bool))


def rows_of(result: Any) -> list[Array]:
    """Token ids in what a loop returned, one array for each sample.

    Raises
    ------
    RecordingError
        There are none.
    """
    found = _ids(result)
    if found is None:
        raise RecordingError(
            f"a {type(result).__name__} holds no token ids: hand over the tensor of ids that the loop returned, or "
            "what holds it ('sequences', or the first of a tuple)"
        )
    return found


def _ids(result: Any) -> list[Array] | None:
    held = result.get("sequences") if isinstance(result, Mapping) else getattr(result, "sequences", None)
    if held is not None:
        return _ids(held)
    if isinstance(result, tuple | list) and any(_has_axes(one) for one in result):
        if isinstance(result, tuple) or np.ndim(result[0]) > 1:
            return _ids(result[0])
        rows = [_ids(one) for one in result]
        return [row for some in rows if some for row in some] if all(rows) else None
    try:
        array = host_array(result)
    except TypeError:
        return None
    fits = array.dtype.kind in "iu" and array.ndim in (1, 2) and array.size
    return list(array if array.ndim > 1 else array[None]) if fits else None


def _has_axes(value: Any) -> bool:
    return isinstance(value, list | tuple) or len(getattr(value, "shape", ())) > 0


def laid_over(run: WatchedRun, known: Array) -> Final:
    """The result of a run, at its place.

    Parameters
    ----------
    run
        Whose result is not None.
    known
        What was last read of the sequence, ``(B, W)``; :data:`UNKNOWN_TOKEN` where nothing was.

    Raises
    ------
    RecordingError
        It is not the result of this run.
    """
    rows, final = rows_of(run.result), Final.unknown(run)
    if len(rows) != len(known):
        raise RecordingError(f"the result holds {counted(len(rows), 'sample')}, but {len(known)} were denoised")
    answer, width = run.answer or 0, known.shape[1]
    best: tuple[int, int, int] | None = None
    for begin in dict.fromkeys((0, answer, max(0, answer - 1), min(0, width - min(map(len, rows))))):
        placed = [(row[max(0, -begin) :], known[sample, max(0, begin) :]) for sample, row in enumerate(rows)]
        odd, agree = np.sum([_agreement(run, *pair) for pair in placed], axis=0)
        reaches = max(len(row) for row in rows) + begin > answer
        if reaches and (best is None or (odd, -agree) < best[:2]):
            best = int(odd), -int(agree), begin
    if best is None or best[0]:
        raise RecordingError(
            f"the result is not that of this run: {'it ends before the answer' if best is None else best[0]} "
            f"{'' if best is None else 'of its tokens are others than the passes read'}. Hand over the ids as the "
            "loop returned them, each after its own run"
        )
    for sample, whole in enumerate(rows):
        begin, row = max(0, best[2]), whole[max(0, -best[2]) :]
        end = min(begin + len(row), width)
        final.ids[sample, begin:end] = row[: end - begin]
        ended = np.isin(row[: end - begin], run.facts.eos_token_ids).any()
        if ended:
            behind = np.arange(known.shape[1]) >= end
            final.thrown_away[sample] = behind & (final.ids[sample] == UNKNOWN_TOKEN)
            _padding_is_thrown_away(run, final, sample, known)
    return final


def _agreement(run: WatchedRun, row: Array, known: Array) -> tuple[int, int]:
    """Tokens of a result that are others than those known, as far as its end, and those that are the same."""
    row, known = row[: len(known)], known[: len(row)]
    told = (known != UNKNOWN_TOKEN) & (known != (UNKNOWN_TOKEN if run.mask is None else run.mask))
    if run.mask is None:
        return 0, int((told & (row == known)).sum())
    ends = np.flatnonzero(np.isin(row, run.facts.eos_token_ids))
    within = np.arange(len(row)) <= (ends[0] if len(ends) else len(row))
    return int((told & within & (row != known)).sum()), int((told & (row == known)).sum())


def _padding_is_thrown_away(run: WatchedRun, final: Final, sample: int, known: Array) -> None:
    """Behind the end, padding in place of what is known to have stood there is no decision."""
    ids = final.ids[sample]
    ends = np.flatnonzero(np.isin(ids, run.facts.eos_token_ids))
    behind = np.arange(len(ids)) > ends[0]
    other = (known[sample] != UNKNOWN_TOKEN) & (known[sample] != run.mask) & (ids != known[sample])
    final.thrown_away[sample] |= behind & other & (ids == run.facts.pad_token_id)
