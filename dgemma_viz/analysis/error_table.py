"""How each wrong token came about: when it appeared, whether the right one was ever at hand, and how it was lost.

Three stories that call for different remedies. The right token never came up: the model does not know. It was among the
alternatives or the draft and was given up: the sampler decided too early or threw it away (temporal oscillation,
arXiv 2508.09138). The wrong token was accepted at once with high confidence: neither bound nor threshold can help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

COLUMNS = {
    "canvas": "int64",
    "position": "int64",
    "emitted": "object",
    "expected": "object",
    "wrong_from": "Int64",
    "confidence_then": "float64",
    "accepted_then": "boolean",
    "accepted_wrong": "Int64",
    "commit_step": "Int64",
    "entropy_at_commit": "float64",
    "final_confidence": "float64",
    "right_first": "Int64",
    "right_last": "Int64",
    "right_steps": "int64",
    "lost_again": "bool",
    "in_top_k_first": "Int64",
    "best_rank": "Int64",
    "best_probability": "float64",
}
"""Columns of the error table and their dtypes; the capital ones have ``<NA>`` for *never*."""


def error_table(trace: Trace, judgement: Judgement) -> pd.DataFrame:
    """One row per wrong emitted token, in reading order.

    Parameters
    ----------
    trace, judgement
        A recorded run, and :func:`~dgemma_viz.analysis.reference.judge`'s word on it.

    Returns
    -------
    pd.DataFrame
        Steps count from 0 within the canvas; ``<NA>`` and NaN mean *never*.

        ``canvas``, ``position``, ``emitted``, ``expected``
            Where and what; texts NOT escaped. An empty ``expected`` at a token that should not be there.
        ``wrong_from``, ``confidence_then``, ``accepted_then``
            Step at which the emitted token first was the draft; its confidence; whether it was accepted in that step.
        ``accepted_wrong``
            First step in which the emitted token was accepted; never, for a token emitted without being accepted.
        ``commit_step``, ``entropy_at_commit``, ``final_confidence``
            From which step on the draft stayed; its entropy then (nats); confidence of the draft in the last step.
        ``right_first``, ``right_last``, ``right_steps``, ``lost_again``
            First and last step, and number of steps, in which the right token was the draft; whether it was at all.
        ``in_top_k_first``, ``best_rank``, ``best_probability``
            First step with the right token among the recorded alternatives; its best rank there (0: the draft) and
            largest probability over all steps. The recording keeps the ``trace.top_k`` best only.

        No wrong token gives no rows. Text that is missing between two tokens has no token and so no row: see
        ``judgement.missing``.
    """
    import pandas as pd

    rows = [
        _row(run, judgement, int(position), columns)
        for run, columns in _canvases(trace, judgement)
        for position in np.flatnonzero(judgement.wrong[run.canvas])
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def _canvases(trace: Trace, judgement: Judgement) -> list[tuple[CanvasRun, dict[str, Array]]]:
    """Emitted canvases, each with what is worked out for all its positions at once."""
    found = []
    for canvas in range(min(len(judgement.wrong), trace.n_canvases)):
        run = trace.canvas_run(canvas, judgement.sample)
        right = {"draft": judgement.right_drafts(run), "top_k": judgement.right_alternatives(run)}
        found.append((run, right | {"commit": commit_steps(run)}))
    return found


def _row(run: CanvasRun, judgement: Judgement, position: int, columns: dict[str, Array]) -> dict[str, Any]:
    emitted = run.trace.emitted[run.canvas, run.sample, position]
    is_draft = run.array("draft")[:, position] == emitted
    kept = run.array("accepted")[:, position] & (run.array("candidate")[:, position] == emitted)
    confidence, entropy = (free_values(run, name)[:, position] for name in ("confidence", "entropy"))
    right, alternatives = columns["draft"][:, position], columns["top_k"][:, position]
    commit, start = int(columns["commit"][position]), _first(is_draft)
    probabilities = run.array("top_k_probabilities")[:, position][alternatives].astype(float)
    known = probabilities[np.isfinite(probabilities)]
    return {
        "canvas": run.canvas,
        "position": position,
        "emitted": run.token_text(emitted),
        "expected": judgement.expected[run.canvas, position],
        "wrong_from": start,
        "confidence_then": np.nan if start is None else confidence[start],
        "accepted_then": None if start is None else bool(kept[start]),
        "accepted_wrong": _first(kept),
        "commit_step": None if commit < 0 else commit,
        "entropy_at_commit": np.nan if commit < 0 else entropy[commit],
        "final_confidence": confidence[-1] if len(confidence) else np.nan,
        "right_first": _first(right),
        "right_last": _first(right, last=True),
        "right_steps": int(right.sum()),
        "lost_again": bool(right.any()),
        "in_top_k_first": _first(alternatives.any(axis=-1)),
        "best_rank": _first(alternatives.any(axis=0)),
        "best_probability": float(known.max()) if known.size else np.nan,
    }


def _first(flags: npt.ArrayLike, *, last: bool = False) -> int | None:
    """Index of the first (or last) true flag, or None."""
    found = np.flatnonzero(flags)
    return int(found[-1 if last else 0]) if len(found) else None
