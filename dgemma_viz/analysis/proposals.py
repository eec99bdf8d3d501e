"""How early the proposal is the final label: drafts and candidates that already equal what is emitted.

After TraceLock (arXiv 2605.24697), which locks positions whose proposal will be final: these are the fractions that
such a rule can hope for, by step and by how uncertain the position is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

ENTROPY_EDGES = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0, float("inf"))
"""Nats."""


def is_final(run: CanvasRun, array: str = "draft") -> Array:
    """Whether each step's token of ``array`` (draft, candidate, noised) is the emitted one: bool ``(T, C)``.

    Against the last draft where the canvas was not emitted.
    """
    ids = run.array(array)
    final = run.emitted if run.emitted is not None else (run.array("draft")[-1] if run.n_steps else None)
    return np.zeros(ids.shape, dtype=bool) if final is None else ids == final


def final_by_entropy(run: CanvasRun) -> pd.DataFrame:
    """Fraction of the answer's proposals that are final, by entropy: one row per bin of :data:`ENTROPY_EDGES`.

    Columns: ``from``, ``to`` (nats), ``count``, ``draft_final``, ``candidate_final`` (NaN without positions; steps that
    made no decision have no candidates to count). Clamped proposals are not counted.
    """
    import pandas as pd

    answer = answer_positions(run)
    entropy = free_values(run, "entropy")[:, answer]
    drafts, candidates = is_final(run)[:, answer], is_final(run, "candidate")[:, answer]
    rows = []
    for low, high in pairwise(ENTROPY_EDGES):
        here = (entropy >= low) & (entropy < high)
        with_candidate = here & run.decided[:, None]
        shares = [
            float(flags[at].mean()) if at.any() else float("nan")
            for flags, at in ((drafts, here), (candidates, with_candidate))
        ]
        rows.append((low, high, int(here.sum()), *shares))
    return pd.DataFrame(rows, columns=["from", "to", "count", "draft_final", "candidate_final"])
