"""In what order a canvas is decided: left to right, in any order, or all at once in the end.

Commit steps are those of the draft (:func:`~dgemma_viz.analysis.positions.commit_steps`). Padding after the answer is
left out: it commits at once and would drown everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import answer_positions, commit_steps
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

Regime = Literal["at once", "left to right", "right to left", "late burst", "any order"]

ORDERED = 0.5
"""Kendall's tau from which an order is called left to right (or, negative, right to left). Ours."""
BURST = 0.5
"""Share of all commits in one step, after the first half of the steps, from which it is called a late burst. Ours."""


@dataclass(frozen=True)
class DecodingOrder:
    """Order in which the answer of one canvas was decided; NaN where it is undefined.

    Attributes
    ----------
    positions
        Positions of the answer, the end-of-sequence token included.
    kendall, spearman
        Rank correlation of position and commit step (tau-b, arXiv 2601.15593; rho): 1 strictly left to right, -1 right
        to left, 0 neither. NaN where all commit at the same step, or with fewer than two positions.
    parallelism
        Mean number of positions that commit in a step in which any does (after the average finalization parallelism of
        arXiv 2601.15593).
    neighbour_effect
        1 - mean difference of neighbours' commit steps / mean difference over all pairs: above 0, neighbours commit
        together; 0 is what a random order gives on average; NaN where all commit at the same step.
    largest_batch, largest_batch_step
        Share of the commits that fell into the busiest step, and that step (the later one among equals).
    regime
        In words, after the commit regimes of arXiv 2606.14620, by our thresholds :data:`ORDERED` and :data:`BURST`.
    """

    positions: int
    kendall: float
    spearman: float
    parallelism: float
    neighbour_effect: float
    largest_batch: float
    largest_batch_step: int
    regime: Regime | None


def decoding_order(run: CanvasRun) -> DecodingOrder:
    """Order of the answer's commits; all NaN and no regime where nothing was decided."""
    nan = float("nan")
    where = np.flatnonzero(answer_positions(run))
    if not run.n_steps or not len(where):
        return DecodingOrder(0, nan, nan, nan, nan, nan, -1, None)
    commits = commit_steps(run)[where]
    batches = np.bincount(commits, minlength=run.n_steps)
    busiest = int(np.flatnonzero(batches == batches.max())[-1])
    share = float(batches[busiest] / len(where))
    tau, rho = rank_correlations(where, commits)
    late = busiest >= run.n_steps / 2
    return DecodingOrder(
        positions=len(where),
        kendall=tau,
        spearman=rho,
        parallelism=float(len(where) / (batches > 0).sum()),
        neighbour_effect=neighbour_effect(commits),
        largest_batch=share,
        largest_batch_step=busiest,
        regime=_regime(commits, tau, share if late else 0.0),
    )


def rank_correlations(positions: Array, commits: Array) -> tuple[float, float]:
    """Kendall's tau-b and Spearman's rho (scipy); NaN where one of them is constant."""
    if len(positions) < 2 or len(np.unique(commits)) < 2:  # noqa: PLR2004
        return float("nan"), float("nan")
    from scipy import stats

    return float(stats.kendalltau(positions, commits).statistic), float(stats.spearmanr(positions, commits).statistic)


def neighbour_effect(commits: Array) -> float:
    """How much nearer in time neighbours are decided than any two positions; NaN where all are decided at once.

    What a random order would give has a closed form: the mean over all pairs.
    """
    count = len(commits)
    ascending = np.sort(commits).astype(float)
    pairs = count * (count - 1) / 2
    total = float((ascending * (2 * np.arange(count) - count + 1)).sum())
    if total == 0:
        return float("nan")
    return 1 - float(np.abs(np.diff(commits)).mean()) / (total / pairs)


def _regime(commits: Array, tau: float, late_share: float) -> Regime:
    if len(np.unique(commits)) == 1:
        return "at once"
    if late_share >= BURST:
        return "late burst"
    if abs(tau) >= ORDERED:
        return "left to right" if tau > 0 else "right to left"
    return "any order"
