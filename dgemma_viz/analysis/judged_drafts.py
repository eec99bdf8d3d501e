"""Every draft that can be judged, at every step, in one flat table of arrays: what calibration is measured on.

Only positions whose right token is known count: those of the answer, its end-of-sequence token included. The token that
a position should hold is that of the *emitted* answer's alignment (:mod:`~dgemma_viz.analysis.reference`), so a draft
that holds the right words one position further counts as wrong.

Clamped drafts (:mod:`~dgemma_viz.analysis.restraints`) do not count: one token was left, and the model was not asked.

A checker that only says *wrong* tells no right token, so wrong answers fall out and right ones stay: confidence then
looks better calibrated than it is. ``not_judged`` counts the answers that fell out, and figures say so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.analysis.run import Run
from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]
_COLUMNS = {"run": "int64", "step": "int64", "confidence": "float64", "entropy": "float64", "right": "bool"}


@dataclass(frozen=True, eq=False)
class JudgedDrafts:
    """``M`` drafts of judged positions, in the order of runs, canvases, steps and positions.

    Attributes
    ----------
    run
        Index of the run, int ``(M,)``: drafts of one run depend on each other.
    step
        Denoising step within its canvas, int ``(M,)``.
    confidence
        Probability of the draft, float ``(M,)``; always finite.
    entropy
        In nats, float ``(M,)``; may be NaN.
    right
        Whether the draft is what the position should hold, bool ``(M,)``.
    not_finite
        Drafts left out because their confidence is not a finite number.
    not_free
        Drafts left out because they were clamped.
    not_judged
        Answers left out because they are known to be wrong, but not where.
    """

    run: Array
    step: Array
    confidence: Array
    entropy: Array
    right: Array
    not_finite: int = 0
    not_judged: int = 0
    not_free: int = 0

    def __len__(self) -> int:
        return len(self.right)

    def at_step(self, step: int) -> JudgedDrafts:
        """The drafts of one step, counted from 0 within each canvas."""
        here = self.step == step
        arrays = {name: getattr(self, name)[here] for name in _COLUMNS}
        return JudgedDrafts(**arrays, not_judged=self.not_judged)

    @property
    def n_runs(self) -> int:
        """Runs that have at least one draft here."""
        return len(np.unique(self.run))


def judged_drafts(trace: Trace, judgement: Judgement, run: int = 0) -> JudgedDrafts:
    """The judged drafts of one sample of a trace, over all its emitted canvases.

    Parameters
    ----------
    trace, judgement
        A recorded run, and :func:`~dgemma_viz.analysis.reference.judge`'s word on it.
    run
        Index to write beside each draft.
    """
    pieces: list[dict[str, Array]] = []
    for canvas in range(min(len(judgement.judged), trace.n_canvases)):
        canvas_run = trace.canvas_run(canvas, judgement.sample)
        here = judgement.judged[canvas, : canvas_run.canvas_length]
        shape = (canvas_run.n_steps, int(here.sum()))
        values = {
            "run": np.full(shape, run),
            "step": np.broadcast_to(np.arange(shape[0])[:, None], shape),
            "confidence": canvas_run.array("confidence")[:, here],
            "entropy": canvas_run.array("entropy")[:, here],
            "right": judgement.right_drafts(canvas_run)[:, here],
            "free": ~clamped(canvas_run)[:, here],
        }
        pieces.append({name: array.reshape(-1) for name, array in values.items()})
    columns = {
        name: np.concatenate([np.empty(0, dtype), *(piece[name] for piece in pieces)]).astype(dtype)
        for name, dtype in (_COLUMNS | {"free": "bool"}).items()
    }
    free = columns.pop("free")
    finite = np.isfinite(columns["confidence"])
    lost = judgement.answer_right is False and judgement.reference is None
    return JudgedDrafts(
        **{name: array[finite & free] for name, array in columns.items()},
        not_finite=int((~finite & free).sum()),
        not_free=int((~free).sum()),
        not_judged=int(lost),
    )


def pooled_drafts(runs: Iterable[Run]) -> JudgedDrafts:
    """The judged drafts of all runs that have a judgement; ``run`` is their index. Traces are opened in turn."""
    parts = [
        judged_drafts(run.trace, run.judgement, index) for index, run in enumerate(runs) if run.judgement is not None
    ]
    columns = {
        name: np.concatenate([np.empty(0, dtype), *(getattr(part, name) for part in parts)]).astype(dtype)
        for name, dtype in _COLUMNS.items()
    }
    return JudgedDrafts(
        **columns,
        not_finite=sum(part.not_finite for part in parts),
        not_free=sum(part.not_free for part in parts),
        not_judged=sum(part.not_judged for part in parts),
    )
