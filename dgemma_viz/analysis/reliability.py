"""Reliability: drafts binned by confidence, and how many of each bin are right.

The reliability diagram (DeGroot and Fisher 1983; Guo et al. 2017, arXiv 1706.04599) and its two summaries: the expected
calibration error, which is the mean gap between confidence and accuracy over the bins, weighted by their counts
(Guo et al., equation 3), and the Brier score of the draft, mean ``(confidence - right)^2`` (Brier 1950,
doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, for the two outcomes right and wrong; not over the vocabulary).

Bins of equal width are those of the paper; nearly all drafts of a settled canvas then fall into the last one. Bins of
equal mass hold about as many drafts each, and show what happens there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.binned_accuracy import Binning, bin_edges, bin_numbers, binned_accuracy
from dgemma_viz.analysis.intervals import ratio
from dgemma_viz.analysis.judged_drafts import JudgedDrafts

if TYPE_CHECKING:
    import pandas as pd

BINS = 10


def reliability_table(drafts: JudgedDrafts, bins: int = BINS, binning: Binning = "width") -> pd.DataFrame:
    """Bins of confidence with what was right in each.

    Parameters
    ----------
    drafts
        From :func:`~dgemma_viz.analysis.judged_drafts.judged_drafts` or ``pooled_drafts``.
    bins, binning
        How many, and ``"width"`` or ``"mass"``; see :func:`~dgemma_viz.analysis.binned_accuracy.bin_edges`.

    Returns
    -------
    pd.DataFrame
        One row per bin, lowest confidence first: ``from_confidence``, ``to_confidence`` (included),
        ``mean_confidence`` and the columns of :func:`~dgemma_viz.analysis.binned_accuracy.binned_accuracy`. No drafts
        give no rows. ``table.attrs`` holds ``not_judged``, ``not_finite`` and ``not_free`` of the drafts.

    Raises
    ------
    SettingError
        Not a number of bins, or an unknown binning.
    """
    edges = bin_edges(drafts.confidence, bins, binning)
    which = bin_numbers(drafts.confidence, edges)
    table = binned_accuracy(which, drafts.right, drafts.run, len(edges) - 1)
    confidence = np.bincount(which, weights=drafts.confidence, minlength=len(table))
    table.insert(0, "from_confidence", edges[:-1])
    table.insert(1, "to_confidence", edges[1:])
    table.insert(2, "mean_confidence", ratio(confidence, table["count"]))
    table.attrs |= {"not_judged": drafts.not_judged, "not_finite": drafts.not_finite, "not_free": drafts.not_free}
    return table


def calibration_error(table: pd.DataFrame) -> float:
    """Expected calibration error of a reliability table; NaN without drafts.

    The binned estimate leans upward with few drafts a bin (arXiv 2012.08668): compare like with like.
    """
    count = table["count"].to_numpy()
    gaps = (table["accuracy"] - table["mean_confidence"]).abs().fillna(0.0).to_numpy()
    return float(ratio((count * gaps).sum(), count.sum()))


def brier_score(drafts: JudgedDrafts) -> float:
    """Mean squared distance of confidence from right (1) or wrong (0); NaN without drafts."""
    return float(ratio(((drafts.confidence - drafts.right) ** 2).sum(), len(drafts)))
