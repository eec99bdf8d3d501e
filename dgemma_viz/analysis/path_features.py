"""A run's denoising path in a few numbers, for telling runs apart: sorting, clustering, predicting which will be wrong.

After the ideas of path diagnostics (arXiv 2606.00997) and of TraceDet (arXiv 2510.01274), which detects hallucination
from entropies along the trace. The features are ours, simple and documented; nothing is trained here.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.order import decoding_order
from dgemma_viz.analysis.positions import answer_positions, commit_steps, open_flips, re_noised_again, returns
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.trace.model import CanvasRun


def path_features(run: CanvasRun) -> dict[str, float]:
    """Features over the positions of the answer that are not clamped in every step; NaN where no step ran.

    ``steps``; of the answer's mean entropy over the steps, in nats: ``entropy_first``, ``entropy_last``,
    ``entropy_mean``, ``entropy_slope`` (least squares, per step), ``entropy_area`` (sum over the steps),
    ``entropy_rises`` (steps in which it rose), ``largest_rise``; per position of the answer: ``flips`` and ``returns``
    (while it was open), ``taken_back`` (accepted, then re-noised); ``mean_commit`` (mean commit step / last step),
    ``kendall`` (decoding order), ``least_confidence`` (of the answer's drafts in the last step).
    """
    answer = answer_positions(run) & ~clamped(run).all(axis=0)
    if not run.n_steps or not answer.any():
        return dict.fromkeys(_NAMES, float("nan")) | {"steps": float(run.n_steps)}
    path = run.array("entropy")[:, answer].astype(float).mean(axis=1)
    rises = np.diff(path)
    slope = float(np.polyfit(np.arange(len(path)), path, 1)[0]) if len(path) > 1 and np.isfinite(path).all() else 0.0
    values = (
        run.n_steps,
        path[0],
        path[-1],
        path.mean(),
        slope,
        path.sum(),
        (rises > 0).sum(),
        max(rises.max(initial=0.0), 0.0),
        open_flips(run)[:, answer].sum() / answer.sum(),
        returns(run)[:, answer].sum() / answer.sum(),
        re_noised_again(run)[:, answer].sum() / answer.sum(),
        commit_steps(run)[answer].mean() / max(run.n_steps - 1, 1),
        decoding_order(run).kendall,
        run.array("confidence")[-1, answer].min(),
    )
    return dict(zip(_NAMES, map(float, values), strict=True))


_NAMES = (
    "steps",
    "entropy_first",
    "entropy_last",
    "entropy_mean",
    "entropy_slope",
    "entropy_area",
    "entropy_rises",
    "largest_rise",
    "flips",
    "returns",
    "taken_back",
    "mean_commit",
    "kendall",
    "least_confidence",
)
