"""From the steps of an own loop to a trace, by the way that logged lines take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dgemma_viz.errors import RecordingError, TraceError
from dgemma_viz.recorders.own_loop_arrays import Array
from dgemma_viz.recorders.own_loop_step import OwnStep
from dgemma_viz.recorders.token_texts import TokenTexts
from dgemma_viz.trace.logged_lines import EmittedLine, Header, StepLine
from dgemma_viz.trace.logged_run import build_trace
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.schema import OF_A_DECISION, TOKEN_ARRAYS


def trace_of_steps(
    facts: RunFacts, steps: Sequence[OwnStep], emitted: Sequence[Array], prompt: list[list[int]], texts: TokenTexts
) -> Trace:
    """Trace of the steps; a status other than "complete" in the facts stands.

    Raises
    ------
    RecordingError
        The number of prompts is not that of the samples, or the run is too large for a trace.
    """
    ids = {int(token) for array in emitted for token in np.unique(array)}.union(*prompt)
    for step in steps:
        ids |= {int(token) for name in TOKEN_ARRAYS if name in step.values for token in np.unique(step.values[name])}
    if facts.special_token_ids is None:
        facts = replace(facts, special_token_ids=texts.special(ids))
    header = Header(facts, facts.status != "complete", prompt, texts.of(ids))
    some_decide = any(not step.values.keys().isdisjoint(OF_A_DECISION) for step in steps)
    lines: list[StepLine] = []
    for number, step in enumerate(steps):
        values = step.values if some_decide and not step.decided else step.settled(facts.mask_token_id)
        lines += _lines(number, step, values)
    canvases = [
        EmittedLine(number, (canvas, sample), row, None)
        for number, (canvas, sample, row) in enumerate(
            (canvas, sample, row) for canvas, rows in enumerate(emitted) for sample, row in enumerate(rows)
        )
    ]
    try:
        return build_trace(header, lines, canvases)
    except TraceError as error:
        raise RecordingError(f"these steps make no trace: {error}") from error


def _lines(number: int, step: OwnStep, values: Mapping[str, Array]) -> list[StepLine]:
    """One line for each sample."""
    return [
        StepLine(
            number,
            (step.canvas, step.number, sample),
            {name: value[sample] if value.ndim else value for name, value in values.items()},
        )
        for sample in range(step.shape[0])
    ]
