"""Failures of many runs sorted into kinds, so that the common one is looked at first.

Every run gets exactly one kind: the first of :class:`FailureKind` whose description fits. What the sampler did (lost a
right answer) comes before what the answer looks like (too short, too long, a token wrong), because it is the cause.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.answer_history import answer_history
from dgemma_viz.analysis.intervals import ratio, wilson
from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.run import Run

if TYPE_CHECKING:
    import pandas as pd


FEW = 3
"""Most wrong tokens and missing stretches that still count as few."""


class FailureKind(Enum):
    """How a run ended, in order of precedence; the value is what stands on screen."""

    NOT_JUDGED = "not judged"
    """There is no reference."""
    CUT_OFF = "cut off"
    """The run was interrupted or failed before its answer ended."""
    RIGHT = "right"
    """The answer is right."""
    EMPTY = "empty answer"
    """Nothing but white space before the end-of-sequence token."""
    RIGHT_THEN_LOST = "right, then lost"
    """The draft answer of some step was right (EverPass, arXiv 2508.09138), the emitted one is not."""
    NEVER_RIGHT = "never right"
    """No draft answer was right, and the checker does not tell which tokens are wrong."""
    PREMATURE_END = "premature end"
    """Right as far as it goes, but it ended before the right answer did."""
    RUNS_ON = "runs on"
    """Right as far as the right answer goes, but it went on after that."""
    ALL_WRONG = "all tokens wrong"
    """No token of the answer is right."""
    FEW_WRONG = "few tokens wrong"
    """At most :data:`FEW` tokens wrong or stretches missing."""
    MANY_WRONG = "many tokens wrong"
    """More than that."""


def failure_kind(run: Run) -> FailureKind:
    """The kind of one run."""
    judgement = run.judgement
    if judgement is None:
        return FailureKind.NOT_JUDGED
    if judgement.answer_right is None:
        return FailureKind.CUT_OFF
    if judgement.answer_right:
        return FailureKind.RIGHT
    if not judgement.output.strip():
        return FailureKind.EMPTY
    if answer_history(run).ever_right:
        return FailureKind.RIGHT_THEN_LOST
    return _by_tokens(run, judgement)


def failure_kinds(runs: Iterable[Run]) -> pd.DataFrame:
    """Runs by kind.

    Returns
    -------
    pd.DataFrame
        One row per kind, all of them, in order of precedence: ``kind`` (text), ``count``, ``share`` of all runs with
        its 95 % interval ``low`` and ``high`` (Wilson, runs taken as independent), ``runs`` (tuple of their indices).
        Without runs, shares are NaN.
    """
    import pandas as pd

    members: dict[FailureKind, list[int]] = {kind: [] for kind in FailureKind}
    for index, run in enumerate(runs):
        members[failure_kind(run)].append(index)
    counts = np.array([len(indices) for indices in members.values()])
    total = np.full(len(counts), counts.sum())
    low, high = wilson(counts, total)
    return pd.DataFrame(
        {
            "kind": [kind.value for kind in members],
            "count": counts,
            "share": ratio(counts, total),
            "low": low,
            "high": high,
            "runs": [tuple(indices) for indices in members.values()],
        }
    )


def _by_tokens(run: Run, judgement: Judgement) -> FailureKind:
    inside = run.trace.in_emitted
    wrong, ends = judgement.wrong[inside], judgement.ends[inside]
    if not judgement.judged.any():
        return FailureKind.NEVER_RIGHT
    begin = run.trace.output_span[0]
    end = begin + len(run.trace.output_ids(run.sample))
    missing = [run.trace.index(canvas, position) for canvas, position, _ in judgement.missing]
    places = set(np.flatnonzero(wrong).tolist()) | set(missing)
    if places == {end}:
        return FailureKind.PREMATURE_END
    if places and not missing and ends[list(places)].all():
        return FailureKind.RUNS_ON
    if wrong[begin:end].all():
        return FailureKind.ALL_WRONG
    return FailureKind.FEW_WRONG if len(places) <= FEW else FailureKind.MANY_WRONG


def error_spread(runs: Iterable[Run]) -> pd.DataFrame:
    """One row per wrong answer whose tokens could be judged.

    Columns: ``run`` (index), ``task``, ``tokens`` (judged positions, the end token included), ``wrong`` of them,
    ``share``. An answer that only lacks a part that no token stands for is not among them.
    """
    import pandas as pd

    rows = [
        (index, run.task, int(run.judgement.judged.sum()), int(run.judgement.wrong.sum()))
        for index, run in enumerate(runs)
        if run.judgement is not None and run.judgement.answer_right is False and run.judgement.wrong.any()
    ]
    table = pd.DataFrame(rows, columns=["run", "task", "tokens", "wrong"])
    return table.assign(share=ratio(table["wrong"].to_numpy(dtype=int), table["tokens"].to_numpy(dtype=int)))
