"""Bins of a value and what is right in each: the common part of every diagram of accuracy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.intervals import bootstrap_over_runs, ratio, wilson
from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
Binning = Literal["width", "mass"]

_MOST_BINS = 1000


def bin_edges(values: Array, bins: int, binning: Binning) -> Array:
    """Ends of the bins of finite values, ascending: ``(n + 1,)``; a single 0 where there are no values.

    Parameters
    ----------
    values
        Finite, ``(M,)``.
    bins
        How many, 1 or more.
    binning
        ``"width"``: equal widths from 0 to 1. ``"mass"``: ends at quantiles of the values, about as many values in
        each; equal values share a bin, so there may be fewer bins.

    Raises
    ------
    SettingError
        Not a number of bins, or an unknown binning.
    """
    checked_range("bins", bins, 1, _MOST_BINS, whole=True)
    if binning not in ("width", "mass"):
        raise SettingError(f"unknown binning {binning!r}; choose 'width' or 'mass'")
    if not len(values):
        return np.zeros(1)
    if binning == "width":
        return np.linspace(0, 1, bins + 1)
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1), method="inverted_cdf"))
    return edges if len(edges) > 1 else np.repeat(edges, 2)


def bin_numbers(values: Array, edges: Array) -> Array:
    """Bin of each value, from 0; a bin includes its upper end, the first its lower end too: int, same shape."""
    return np.clip(np.searchsorted(edges, values, side="left") - 1, 0, max(0, len(edges) - 2))


def binned_accuracy(which: Array, right: Array, run: Array, bins: int) -> pd.DataFrame:
    """What is right in each bin.

    Parameters
    ----------
    which, right, run
        Bin, rightness and run of each item, ``(M,)``.
    bins
        Number of bins.

    Returns
    -------
    pd.DataFrame
        One row per bin: ``count``, ``runs``, ``right``, ``accuracy``; ``low`` and ``high`` (Wilson, 95 %, items taken
        as independent); ``runs_low`` and ``runs_high`` (bootstrap over runs; NaN with fewer than two). Empty bins have
        NaN.
    """
    import pandas as pd

    runs, index = np.unique(run, return_inverse=True)
    size, cell = len(runs) * bins, index * bins + which
    counts = np.bincount(cell, minlength=size).reshape(len(runs), bins)
    rights = np.bincount(cell[right], minlength=size).reshape(len(runs), bins)
    count, rightly = counts.sum(axis=0), rights.sum(axis=0)
    low, high = wilson(rightly, count)
    over_runs = bootstrap_over_runs(np.hstack([counts, rights]), lambda sums: ratio(sums[:, bins:], sums[:, :bins]))
    return pd.DataFrame(
        {
            "count": count,
            "runs": (counts > 0).sum(axis=0),
            "right": rightly,
            "accuracy": ratio(rightly, count),
            "low": low,
            "high": high,
            "runs_low": over_runs[0],
            "runs_high": over_runs[1],
        }
    )
