"""A pandas table to read in a notebook: text to the left, numbers to the right, no index, cells escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pandas.io.formats.style import Styler


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
    styled = table.style.format(known, na_rep="–")
    if plain := [name for name in words if name not in known]:
        styled = styled.format(escape="html", na_rep="–", subset=pd.Index(plain))
    heads = [f"th.col_heading.col{place}" for place, name in enumerate(table.columns) if name in words]
    styled = styled.set_table_styles([{"selector": head, "props": [("text-align", "left")]} for head in heads])
    return styled.set_properties(subset=pd.Index(words), **{"text-align": "left", "min-width": "7em"}).hide(
        axis="index"
    )
