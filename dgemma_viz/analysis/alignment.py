"""Several runs beside one base run, token by token: where each first parted from it, and what it emitted instead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

NEVER = -1
"""In place of a step: the drafts are the same throughout."""


def parted_at(base: Trace, other: Trace, canvas: int = 0, sample: int = 0) -> Array:
    """First denoising step at which the drafts of two runs differ, by position: int ``(C,)``; :data:`NEVER` if none.

    Over the shared positions, and the steps of the longer run: one that has stopped keeps its last draft. Empty where
    one of the traces does not have the canvas.

    Raises
    ------
    TraceError
        As :func:`~dgemma_viz.analysis.comparison.pair_of`.
    """
    found = pair_of(base, other).differences(canvas, sample)
    if not found.common:
        return np.zeros(0, dtype=int)
    return np.where(found.draft.any(axis=0), found.draft.argmax(axis=0), NEVER)


def first_divergences(base: Trace, others: Mapping[str, Trace], sample: int = 0) -> pd.DataFrame:
    """Where each run first parts from the base run, and what came of it.

    Columns: ``run``; ``canvas``, ``step``, ``cause``, ``positions`` (how many) and ``what`` of the first difference, as
    :func:`~dgemma_viz.analysis.divergence.divergence` finds it, missing where there is none; ``steps`` (denoising steps
    of that run); ``output``; ``same_output``.

    Raises
    ------
    TraceError
        As :func:`~dgemma_viz.analysis.comparison.pair_of`.
    """
    import pandas as pd

    rows = []
    for label, other in others.items():
        first = divergence_of(pair_of(base, other), sample)
        output = other.output_text(sample)
        rows.append(
            {
                "run": label,
                "canvas": None if first is None else first.canvas,
                "step": None if first is None else first.step,
                "cause": None if first is None else str(first.cause),
                "positions": None if first is None else len(first.positions),
                "what": None if first is None else first.what,
                "steps": int(other.active[:, sample].sum()),
                "output": output,
                "same_output": output == base.output_text(sample),
            }
        )
    table = pd.DataFrame(rows, columns=[*_COLUMNS])
    return table.astype(dict.fromkeys(("canvas", "step", "positions"), "Int64"))


_COLUMNS = ("run", "canvas", "step", "cause", "positions", "what", "steps", "output", "same_output")
