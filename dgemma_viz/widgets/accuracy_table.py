"""What came of the settings of a sweep, to read: how many runs were right, how sure that share is, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from dgemma_viz.widgets.reading_table import reading_table

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler


def accuracy_table(summary: pd.DataFrame, names: Mapping[str, str]) -> Styler:
    """One row a setting: right of all that were judged, Wilson's interval of the share, and the mean decoder passes.

    Parameters
    ----------
    summary
        From :meth:`dgemma_viz.labs.sweep.Sweep.summary`.
    names
        Columns that say what was run, and how each is called: ``{"entropy_bound": "bound (nats)"}``.
    """
    table = summary[list(names)].rename(columns=dict(names))
    table["right"] = [f"{right} of {judged}" for right, judged in zip(summary["right"], summary["judged"], strict=True)]
    ends = zip(summary["low"], summary["high"], strict=True)
    table["95 % interval"] = ["–" if pd.isna(low) else f"{low:.0%} to {high:.0%}" for low, high in ends]
    table["mean passes"] = summary["forwards"]
    return reading_table(table, {**dict.fromkeys(names.values(), "{:g}"), "mean passes": "{:.1f}"})
