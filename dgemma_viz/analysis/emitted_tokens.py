"""Every emitted token that can be judged, with when it settled and how sure the sampler was then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.analysis.run import Run
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
_COLUMNS = {
    "run": "int64",
    "canvas": "int64",
    "position": "int64",
    "right": "bool",
    "commit_step": "int64",
    "confidence_at_commit": "float64",
    "entropy_at_commit": "float64",
}


def emitted_tokens(runs: Iterable[Run]) -> pd.DataFrame:
    """One row per judged emitted token, the end-of-sequence token included.

    Columns: ``run`` (index), ``canvas``, ``position``, ``right``, ``commit_step`` (first step from which the draft no
    longer changed; -1 where no step ran), and the draft's ``confidence_at_commit`` and ``entropy_at_commit`` (nats) at
    that step (NaN where it was clamped). No judged token gives no rows. ``table.attrs["not_judged"]`` counts the
    answers that are wrong by a checker's word alone, so that no token of theirs is here.
    """
    import pandas as pd

    tables, not_judged = [pd.DataFrame({name: np.empty(0, dtype) for name, dtype in _COLUMNS.items()})], 0
    for index, run in enumerate(runs):
        if run.judgement is not None:
            not_judged += run.judgement.answer_right is False and run.judgement.reference is None
            tables += _of_one(run.trace, run.judgement, index)
    table = pd.concat([part for part in tables if len(part)] or tables[:1], ignore_index=True)
    table.attrs["not_judged"] = not_judged
    return table


def _of_one(trace: Trace, judgement: Judgement, index: int) -> list[pd.DataFrame]:
    import pandas as pd

    tables = []
    for canvas in range(min(len(judgement.judged), trace.n_canvases)):
        run, where = trace.canvas_run(canvas, judgement.sample), np.flatnonzero(judgement.judged[canvas])
        commits = commit_steps(run)[where]
        values = {
            "run": np.full(len(where), index),
            "canvas": np.full(len(where), canvas),
            "position": where,
            "right": ~judgement.wrong[canvas, where],
            "commit_step": commits,
            "confidence_at_commit": _at(free_values(run, "confidence"), commits, where),
            "entropy_at_commit": _at(free_values(run, "entropy"), commits, where),
        }
        tables.append(pd.DataFrame(values).astype(_COLUMNS))
    return tables


def _at(values: Array, steps: Array, positions: Array) -> Array:
    """Values ``(T, C)`` at pairs of step and position; NaN where no step ran."""
    return values[steps, positions] if len(values) else np.full(len(positions), np.nan)
