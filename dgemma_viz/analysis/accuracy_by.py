"""Accuracy of emitted tokens against when they settled, and against how uncertain the sampler was then.

A sampler that works settles easy tokens first: accuracy falls with the commit step and with the entropy at that step.
Entropies span many orders of magnitude, so their bins are of equal mass. Few tokens settle late, so bins of commit
steps double: 0, 1, 2 to 3, 4 to 7, and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from dgemma_viz.analysis.binned_accuracy import bin_edges, bin_numbers, binned_accuracy
from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

By = Literal["commit_step", "entropy_at_commit"]
BY: tuple[By, ...] = ("commit_step", "entropy_at_commit")


def accuracy_by(tokens: pd.DataFrame, by: By = "commit_step", bins: int = 8) -> pd.DataFrame:
    """Accuracy in bins of one column of ``emitted_tokens``.

    Parameters
    ----------
    tokens
        From :func:`~dgemma_viz.analysis.emitted_tokens.emitted_tokens`.
    by
        One of :data:`BY`.
    bins
        For the entropy: how many bins of equal mass. Equal values always share one.

    Returns
    -------
    pd.DataFrame
        One row per bin that is not empty, ascending: ``from_value``, ``to_value`` (included), ``median``, and the
        columns of :func:`~dgemma_viz.analysis.binned_accuracy.binned_accuracy`. Values that are not
        finite, and tokens on whose canvas no step ran, are left out. ``table.attrs``: ``by`` and ``not_judged``.

    Raises
    ------
    SettingError
        Unknown column, or not a number of bins.
    """
    if by not in BY:
        raise SettingError(f"accuracy cannot be shown by {by!r}; choose from {list(BY)}")
    values = tokens[by].to_numpy(dtype=float)
    kept = np.isfinite(values) & (tokens["commit_step"].to_numpy() >= 0)
    values, right, run = values[kept], tokens["right"].to_numpy()[kept], tokens["run"].to_numpy()[kept]
    if by == "commit_step":
        which = np.frexp(values)[1].astype(int)  # the exponent: 0 for 0, 1 for 1, 2 for 2 and 3, ...
        powers = 2.0 ** np.arange(which.max(initial=-1) + 1)
        starts, ends = np.floor(powers / 2), powers - 1
    else:
        edges = bin_edges(values, bins, "mass")
        starts, ends, which = edges[:-1], edges[1:], bin_numbers(values, edges)
    table = binned_accuracy(which, right, run, len(starts))
    table.insert(0, "from_value", starts)
    table.insert(1, "to_value", ends)
    table = table[table["count"] > 0]
    table.insert(2, "median", [float(np.median(values[which == number])) for number in table.index])
    table = table.reset_index(drop=True)
    table.attrs |= {"by": by, "not_judged": tokens.attrs.get("not_judged", 0)}
    return table
