"""Judged drafts of given confidences."""

import numpy as np

from dgemma_viz.analysis.judged_drafts import JudgedDrafts


def drafts_of(confidence, right, run=None, step=None):
    m = len(confidence)
    return JudgedDrafts(
        run=np.zeros(m, dtype=int) if run is None else np.asarray(run),
        step=np.zeros(m, dtype=int) if step is None else np.asarray(step),
        confidence=np.asarray(confidence, dtype=float),
        entropy=np.zeros(m),
        right=np.asarray(right, dtype=bool),
    )
