"""What came of two runs: output, steps, tokens per forward, time, and errors where there is a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dgemma_viz.analysis.changed_facts import FactRow
from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.reference import Reference, judge
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import Provenance

_ANSWERS = {True: "right", False: "wrong", None: "cut off"}


def outcomes(pair: TracePair, reference: Reference | None = None, sample: int = 0) -> tuple[FactRow, ...]:
    """Rows of what came of both runs; a trace without that sample has None in each.

    Parameters
    ----------
    pair
        From :func:`~dgemma_viz.analysis.comparison.pair_of`.
    reference
        The right answer for both; see :data:`~dgemma_viz.analysis.reference.Reference`. If None, each trace's own; rows
        of errors are there if one of them can be judged.
    sample
        Sample of the batch.

    Raises
    ------
    SettingError
        As :func:`~dgemma_viz.analysis.reference.judge`.
    """

    def row(name: str, value: Callable[[Trace], Any], provenance: Provenance) -> FactRow:
        a, b = (value(trace) if sample < trace.n_samples else None for trace in pair.traces)
        return FactRow(name, a, b, provenance)

    return (
        row("output", lambda trace: trace.output_text(sample), "measured"),
        row("denoising steps", lambda trace: int(trace.active[:, sample].sum()), "derived"),
        row("tokens per forward", lambda trace: round(tokens_per_forward(trace, sample), 3), "derived"),
        row("seconds", _seconds, "measured"),
        *_errors(pair, reference, sample),
    )


def differing_tokens(pair: TracePair, sample: int = 0) -> tuple[int, int]:
    """Output tokens that differ, and output tokens compared, the first end-of-sequence token included."""
    differing = pair.differing_output(sample)
    if not differing.size:
        return 0, 0
    longest = max(len(trace.output_ids(sample)) + 1 for trace in pair.traces)
    return int(differing.sum()), min(longest, differing.size)


def _errors(pair: TracePair, reference: Reference | None, sample: int) -> Iterator[FactRow]:
    a, b = (judge(trace, reference, sample) if sample < trace.n_samples else None for trace in pair.traces)
    if a is None and b is None:
        return
    answer_a, answer_b = (_ANSWERS[judged.answer_right] if judged else None for judged in (a, b))
    yield FactRow("answer", answer_a, answer_b, "derived")
    wrong_a, wrong_b = (int(judged.wrong.sum()) if judged and judged.judged.any() else None for judged in (a, b))
    if wrong_a is not None or wrong_b is not None:
        yield FactRow("wrong tokens", wrong_a, wrong_b, "derived")


def _seconds(trace: Trace) -> float | None:
    last = float(trace.wall_time[-1]) if trace.n_steps else np.nan
    return round(last, 3) if np.isfinite(last) else None
