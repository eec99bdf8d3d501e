"""A pandas table to read in a notebook: text to the left, numbers to the right, no index, texts made safe to show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from dgemma_viz.plain_text import NO_FORMULAS
from dgemma_viz.views.run_header import readable

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

_LONGEST_CELL = 600
_LONG = 110
"""Characters of a text that needs a wider column: on a phone, seven letters a line make a tower of it."""


def reading_table(table: pd.DataFrame, formats: Mapping[str, str] | None = None) -> Styler:
    """The table, ready to be shown.

    Parameters
    ----------
    table
        Its index is left out.
    formats
        Column to format string, such as ``{"wasted": "{:.0%}"}``; other numbers have three digits.
    """
    numeric = [name for name in table.columns if table[name].dtype.kind in "iuf"]
    words = [name for name in table.columns if name not in numeric]
    known: dict[Any, Any] = {name: "{:.3g}" for name in numeric if table[name].dtype.kind == "f"} | dict(formats or {})
    styled = table.style.format(known, na_rep="–", escape="html").format_index(_heading, axis="columns")
    if plain := [name for name in words if name not in known]:
        styled = styled.format(_words, na_rep="–", subset=pd.Index(plain))
    styled = styled.set_table_attributes(f'class="{NO_FORMULAS}"')
    heads = [f"th.col_heading.col{place}" for place, name in enumerate(table.columns) if name in words]
    styled = styled.set_table_styles([{"selector": head, "props": [("text-align", "left")]} for head in heads])
    for name in words:
        width = "7em" if max(map(len, map(str, table[name])), default=0) <= _LONG else "16em"
        styled = styled.set_properties(subset=pd.Index([name]), **{"text-align": "left", "min-width": width})
    return styled.hide(axis="index")


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


def _heading(name: object) -> str:
    return _words(str(name).replace("_", " "))


def _words(value: object) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return readable(value, _LONGEST_CELL)
