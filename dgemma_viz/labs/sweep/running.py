"""Run one cell: the batch as :func:`~dgemma_viz.labs.samplers.run_sampler` runs it, reduced to plain outcomes.

Seeds are torch's global ones, and a model can be recorded by one recording at a time. So within one process cells run
one after the other, whatever threads they are given to.
"""

from __future__ import annotations

import threading
from typing import Any

from dgemma_viz.labs.samplers import run_sampler
from dgemma_viz.labs.sweep.cell import Cell
from dgemma_viz.labs.sweep.model_source import ModelSource
from dgemma_viz.labs.sweep.outcome import Outcome
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace

Outcomes = tuple[Outcome, ...]
"""One for each prompt of a cell."""

_one_at_a_time = threading.Lock()


def run_cell(source: ModelSource, cell: Cell, max_new_tokens: int | None) -> Outcomes:
    """What came of each prompt. A run that failed gives its error; an interrupt or a failed load passes on."""
    with _one_at_a_time:
        model, tokenizer = source.load()
        try:
            trace = traced(model, tokenizer, cell, max_new_tokens, top_k=1)
        except Exception as error:  # noqa: BLE001 - one bad run must not cost the others
            return tuple(Outcome(error=text_of(error)) for _ in cell.prompts)
    if trace.facts.status == "interrupted":
        raise KeyboardInterrupt
    return tuple(Outcome.of(trace, sample) for sample in range(len(cell.prompts)))


def traced(model: Any, tokenizer: Any, cell: Cell, max_new_tokens: int | None, *, top_k: int) -> Trace:
    """The cell's run, recorded. A batch of one is the single run, its task facts included."""
    return run_sampler(
        model,
        tokenizer,
        cell.prompts[0] if len(cell.prompts) == 1 else cell.prompts,
        cell.setting.sampler,
        cell.setting.parameters,
        seed=cell.seed,
        max_new_tokens=max_new_tokens,
        top_k=top_k,
    )
