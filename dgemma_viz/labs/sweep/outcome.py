"""Run one cell, and what it gave as it stands in the file: plain numbers and text, before anything is judged.

Outputs are judged when a table is made of them, not here. So a reference may be any function, on any executor; one that
fails costs no run; and a file of finished runs can be read with another reference.

Seeds are torch's global ones, and a model can be recorded by one recording at a time. So within one process cells run
one after the other, whatever threads they are given to.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from dgemma_viz.analysis.steps import decoder_passes, output_tokens
from dgemma_viz.labs.grid import whole_run
from dgemma_viz.labs.models import ModelSource
from dgemma_viz.labs.run import run
from dgemma_viz.labs.sweep.plan import Cell
from dgemma_viz.redaction import text_of
from dgemma_viz.trace import Trace

_one_at_a_time = threading.Lock()


@dataclass(frozen=True)
class Outcome:
    """One run.

    Attributes
    ----------
    output
        Text up to the first end-of-sequence token.
    canvases, forwards, tokens
        Of this sample: canvases denoised, decoder passes, and output tokens, the first end-of-sequence token included;
        None where the run failed.
    seconds
        Wall time of the batch, shared out equally; None where not known.
    warnings
        What the recorder saw that the user should know.
    error
        Why the run failed, or empty.
    """

    output: str = ""
    canvases: int | None = None
    forwards: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    warnings: str = ""
    error: str = ""

    @classmethod
    def of(cls, trace: Trace, sample: int) -> Self:
        """Of one sample of a complete run."""
        seconds = float(trace.wall_time[-1]) / trace.n_samples if trace.n_steps else np.nan
        return cls(
            output=trace.output_text(sample),
            canvases=int((~trace.past_end[:, sample]).sum()),
            forwards=decoder_passes(trace, sample),
            tokens=output_tokens(trace, sample),
            seconds=seconds if np.isfinite(seconds) else None,
            warnings="; ".join(notice.text for notice in trace.facts.notices),
        )

    def to_json(self) -> dict[str, Any]:
        """JSON types."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From :meth:`to_json`.

        Raises
        ------
        TypeError
            A value is missing, unknown or of another type.
        """
        outcome = cls(**data)
        for field in fields(cls):
            value, default = getattr(outcome, field.name), field.default
            kinds: tuple[type, ...] = (str,) if default == "" else (int, float, type(None))
            if not isinstance(value, kinds) or isinstance(value, bool):
                raise TypeError(f"{field.name} is {value!r}")
        return outcome


Outcomes = tuple[Outcome, ...]
"""One for each prompt of a cell."""


def run_cell(source: ModelSource, max_new_tokens: int | None, cell: Cell) -> Outcomes:
    """What came of each prompt. A run that failed gives its error; an interrupt or a failed load passes on."""
    with _one_at_a_time:
        model, tokenizer = source.load()
        try:
            trace = traced(model, tokenizer, cell, max_new_tokens, top_k=1)
        except Exception as error:  # noqa: BLE001 - one bad run must not cost the others
            return tuple(Outcome(error=text_of(error)) for _ in cell.prompts)
    return tuple(Outcome.of(whole_run(trace), sample) for sample in range(len(cell.prompts)))


def traced(model: Any, tokenizer: Any, cell: Cell, max_new_tokens: int | None, *, top_k: int) -> Trace:
    """The cell's run, recorded. A batch of one is the single run, its task facts included."""
    return run(
        model,
        tokenizer,
        cell.prompts[0] if len(cell.prompts) == 1 else cell.prompts,
        cell.setting.sampler,
        cell.setting.parameters,
        seed=cell.seed,
        max_new_tokens=max_new_tokens,
        top_k=top_k,
    )
