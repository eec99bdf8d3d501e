"""Accuracy of emitted tokens against when they settled, or against how uncertain the sampler was then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.intervals import Array
from dgemma_viz.figures.frame import ACCURACY_HEIGHT, accuracy_panels, framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.uncertainty import (
    accuracy_hovers,
    accuracy_interval,
    count_bars,
    error_bars,
    not_judged_note,
)

if TYPE_CHECKING:
    import pandas as pd

NAME = "accuracy_curve"
_TITLES = {
    "commit_step": "Are late tokens wrong more often?",
    "entropy_at_commit": "Are uncertain tokens wrong more often?",
}
_AXES = {
    "commit_step": "commit step · derived",
    "entropy_at_commit": "entropy at the commit step (nats) · measured",
}
_FLOOR = 1e-6
"""Smallest entropy drawn where it is; smaller ones stand here."""


def accuracy_curve(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Fraction of emitted tokens that are right, bin by bin, with the tokens in each.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.accuracy_by.accuracy_by`; its ``attrs["by"]`` says what x is.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: ``[bar "tokens", scatter "bins"]``. Entropies have a logarithmic axis that ends at 1e-6. A plain message
        where nothing was judged.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look, by = theme_named(theme), table.attrs.get("by", "commit_step")
    title = _TITLES[by]
    if table.empty:
        return message_figure(NAME, look, title, "no token could be judged:<br>give a reference with the right answer")
    note = not_judged_note(table)
    summary = f"{table['right'].sum():,} of {table['count'].sum():,} tokens right; whiskers: 95 %"
    figure = framed(NAME, look, title, summary + note, height=ACCURACY_HEIGHT)
    accuracy = table["accuracy"].to_numpy()
    x, centres, widths = _places(table, by)
    figure.add_trace(count_bars("tokens", centres, table["count"].to_numpy(), widths, look))
    figure.add_trace(
        go.Scatter(
            name="bins",
            x=x,
            y=accuracy,
            customdata=_words(table, by),
            text=accuracy_hovers(table),
            error_y=error_bars(accuracy, accuracy_interval(table), look.accent),
            mode="markers",
            marker={"color": look.accent, "size": 8},
            hovertemplate="<b>%{y:.3f} right</b> at %{customdata}<br>%{text}<extra></extra>",
        )
    )
    titles = (_AXES[by], "fraction right · derived", "tokens")
    accuracy_panels(figure, titles, _x_axis(table, by), most=int(table["count"].max()), note=bool(note))
    return figure.update_layout(showlegend=False, margin={"b": 56})


def _places(table: pd.DataFrame, by: str) -> tuple[Array, Array, Array]:
    """Where each bin's point stands, and middle and width of its bar, in units of the drawn axis."""
    if by == "commit_step":
        index = np.arange(len(table))
        return index, index, np.full(len(table), 0.8)
    low, middle, high = (
        np.log10(np.maximum(table[name].to_numpy(dtype=float), _FLOOR)) for name in ("from_value", "median", "to_value")
    )
    return middle, (low + high) / 2, np.maximum(high - low, 0.02 * max(high[-1] - low[0], 0.1))


def _x_axis(table: pd.DataFrame, by: str) -> dict[str, Any]:
    if by == "commit_step":
        return {"range": [-0.7, len(table) - 0.3], "tickvals": np.arange(len(table)), "ticktext": _spans(table)}
    decades = np.arange(np.log10(_FLOOR), 2)
    words = [f"{10**decade:g}" for decade in decades]
    return {"tickvals": decades, "ticktext": [f"≤{words[0]}", *words[1:]]}


def _words(table: pd.DataFrame, by: str) -> list[str]:
    if by == "commit_step":
        return [f"commit step {span} · derived" for span in _spans(table)]
    ends = zip(table["from_value"].tolist(), table["to_value"].tolist(), strict=True)
    return [f"entropy {low:.3g} to {high:.3g} nats · measured" for low, high in ends]


def _spans(table: pd.DataFrame) -> list[str]:
    ends = zip(table["from_value"].tolist(), table["to_value"].tolist(), strict=True)
    return [f"{low:g}" if low == high else f"{low:g}–{high:g}" for low, high in ends]
