"""Is a draft of confidence 0.9 right nine times in ten? Single numbers for that, pooled and per denoising step.

Calibration per denoising step after arXiv 2604.23235; the error and the score are those of
:mod:`~dgemma_viz.analysis.reliability`. Intervals draw whole runs again (:mod:`~dgemma_viz.analysis.intervals`). The
calibration error cannot be negative and each resample adds noise of its own, so its interval leans upward.

A step that only few runs reach holds the hard ones: the curve over steps compares different runs at its two ends.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.binned_accuracy import Binning, bin_edges, bin_numbers
from dgemma_viz.analysis.intervals import Array, bootstrap_over_runs, ratio
from dgemma_viz.analysis.judged_drafts import JudgedDrafts
from dgemma_viz.analysis.reliability import BINS, brier_score, calibration_error, reliability_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Calibration:
    """How well confidence tells what is right.

    Attributes
    ----------
    count, runs
        Drafts judged, and runs that they come from.
    accuracy, mean_confidence
        Fraction of drafts that are right; what they claimed. Overconfident where the second is larger.
    ece, ece_low, ece_high
        Expected calibration error; ends of its 95 % interval over runs, NaN with fewer than two.
    brier, brier_low, brier_high
        Brier score, with the same interval.
    """

    count: int
    runs: int
    accuracy: float
    mean_confidence: float
    ece: float
    ece_low: float
    ece_high: float
    brier: float
    brier_low: float
    brier_high: float


def calibration(drafts: JudgedDrafts, bins: int = BINS, binning: Binning = "width") -> Calibration:
    """Calibration of all given drafts together; all NaN where there are none. Arguments as ``reliability_table``."""
    table = reliability_table(drafts, bins, binning)
    ece_low, ece_high = _interval_of_error(drafts, bins, binning)
    brier_low, brier_high = _interval_of_score(drafts)
    return Calibration(
        count=len(drafts),
        runs=drafts.n_runs,
        accuracy=float(ratio(drafts.right.sum(), len(drafts))),
        mean_confidence=float(ratio(drafts.confidence.sum(), len(drafts))),
        ece=calibration_error(table),
        ece_low=ece_low,
        ece_high=ece_high,
        brier=brier_score(drafts),
        brier_low=brier_low,
        brier_high=brier_high,
    )


def calibration_per_step(drafts: JudgedDrafts, bins: int = BINS, binning: Binning = "width") -> pd.DataFrame:
    """One row per denoising step (within its canvas): ``step`` and the fields of :class:`Calibration`.

    No drafts give no rows. Bins of equal mass are chosen anew at each step. ``table.attrs`` as ``reliability_table``.
    """
    import pandas as pd

    steps = np.unique(drafts.step).tolist()
    rows = [{"step": step} | asdict(calibration(drafts.at_step(step), bins, binning)) for step in steps]
    table = pd.DataFrame(rows, columns=["step", *Calibration.__dataclass_fields__])
    table.attrs |= {"not_judged": drafts.not_judged, "not_finite": drafts.not_finite, "not_free": drafts.not_free}
    return table


def _interval_of_error(drafts: JudgedDrafts, bins: int, binning: Binning) -> tuple[float, float]:
    edges = bin_edges(drafts.confidence, bins, binning)
    n = len(edges) - 1
    sums = _sums(drafts, bin_numbers(drafts.confidence, edges), drafts.confidence - drafts.right, n)
    low, high = bootstrap_over_runs(sums, lambda total: ratio(np.abs(total[:, :n]).sum(axis=1), total[:, n]))
    return float(low), float(high)


def _interval_of_score(drafts: JudgedDrafts) -> tuple[float, float]:
    sums = _sums(drafts, np.zeros(len(drafts), dtype=int), (drafts.confidence - drafts.right) ** 2, 1)
    low, high = bootstrap_over_runs(sums, lambda total: ratio(total[:, 0], total[:, 1]))
    return float(low), float(high)


def _sums(drafts: JudgedDrafts, which: Array, values: Array, bins: int) -> Array:
    """Sum of values per run and bin, then the run's count of drafts: ``(R, bins + 1)``."""
    runs, index = np.unique(drafts.run, return_inverse=True)
    sums = np.bincount(index * bins + which, weights=values, minlength=len(runs) * bins).reshape(len(runs), bins)
    return np.column_stack([sums, np.bincount(index, minlength=len(runs))])
