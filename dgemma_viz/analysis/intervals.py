"""Intervals: Wilson's for a proportion, and the bootstrap over runs for anything that sums over runs.

Design. Positions and steps of one run depend on each other, because every denoising step reads the whole canvas.
Wilson's interval treats them as independent draws, so over positions it is too narrow. :func:`bootstrap_over_runs`
draws whole runs with replacement (the cluster bootstrap: Field and Welsh 2007, doi:10.1111/j.1467-9868.2007.00593.x),
which keeps what belongs together together. It works on sums per run, so a resample is one product of matrices.

A bootstrap cannot see what no run shows: over runs that are all right, its interval is a single point. Where both are
given, :func:`wider` takes the end that reaches further.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.range_check import checked_range

Array = npt.NDArray[Any]
Interval = tuple[Array, Array]
"""Lower and upper ends, float arrays of one shape; NaN where there is no interval."""

LEVEL = 0.95
RESAMPLES = 2000


def wilson(successes: npt.ArrayLike, trials: npt.ArrayLike, level: float = LEVEL) -> Interval:
    """Wilson's score interval of proportions (Wilson 1927, doi:10.1080/01621459.1927.10502953).

    Same numbers as ``scipy.stats.binomtest(k, n).proportion_ci(level, method="wilson")``, for whole arrays.

    Parameters
    ----------
    successes, trials
        Counts of one shape; ``0 <= successes <= trials``.
    level
        Confidence level, between 0 and 1.

    Returns
    -------
    tuple
        Ends in [0, 1]; NaN where there were no trials.

    Raises
    ------
    SettingError
        The level is not between 0 and 1.
    """
    k, n = np.asarray(successes, dtype=float), np.asarray(trials, dtype=float)
    z2 = NormalDist().inv_cdf(0.5 + _checked(level) / 2) ** 2
    n = np.where(n > 0, n, np.nan)
    centre = (k + z2 / 2) / (n + z2)
    half = np.sqrt(z2) / (n + z2) * np.sqrt(k * (n - k) / n + z2 / 4)
    low, high = np.where(k == 0, centre * 0, centre - half), np.where(k == n, centre * 0 + 1, centre + half)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def bootstrap_over_runs(
    sums: Array,
    statistic: Callable[[Array], Array],
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Percentile interval of a statistic when whole runs are drawn again.

    Parameters
    ----------
    sums
        What each run adds, ``(R, K)``: counts, sums of confidences, ...
    statistic
        Takes totals ``(B, K)`` over the runs of each resample, returns ``(B,)`` or ``(B, M)``; NaN where a resample
        says nothing (an empty bin).
    level, resamples, seed
        Confidence level; how many resamples; same seed, same interval.

    Returns
    -------
    tuple
        Ends, shape ``()`` or ``(M,)``; NaN with fewer than two runs, or where most resamples say nothing.

    Raises
    ------
    SettingError
        The level is not between 0 and 1.
    """
    share = _checked(level)
    runs = len(sums)
    shape = statistic(np.zeros((1, sums.shape[1]))).shape[1:]
    if runs < 2:  # noqa: PLR2004 - one run says nothing about how runs differ
        return np.full(shape, np.nan), np.full(shape, np.nan)
    drawn = np.random.default_rng(seed).multinomial(runs, np.full(runs, 1 / runs), size=resamples)
    values = statistic(drawn @ np.asarray(sums, dtype=float))
    known = np.isfinite(values).mean(axis=0) > 1 / 2
    filled = np.where(known, values, 0.0)
    low, high = np.nanquantile(filled, [(1 - share) / 2, (1 + share) / 2], axis=0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def wider(one: Interval, other: Interval) -> Interval:
    """The interval that covers both; an end that is NaN in one is taken from the other."""
    return np.fmin(one[0], other[0]), np.fmax(one[1], other[1])


def ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> Array:
    """Elementwise ``part / whole`` as float; NaN where the whole is 0."""
    n = np.asarray(whole, dtype=float)
    result: Array = np.asarray(part, dtype=float) / np.where(n == 0, np.nan, n)
    return result


def _checked(level: float) -> float:
    return checked_range("a confidence level", level, 0, 1, ends="()")
