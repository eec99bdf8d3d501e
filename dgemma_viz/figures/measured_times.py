"""Measured times of several ways of decoding, against the length of the answer or the number of prompts at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import LINE, framed, key_below
from dgemma_viz.figures.marks import way_line, way_marker
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label

if TYPE_CHECKING:
    import pandas as pd

NAME = "measured_times"
_ROUND = [digit * 10**power for power in range(-2, 7) for digit in (1, 2, 5)]
"""Ticks written out: Plotly's own leave 200 and 500 as 2 and 5."""


def measured_times(
    table: pd.DataFrame, by: Literal["length", "batch"] = "length", theme: str | Theme = "light"
) -> go.Figure:
    """Milliseconds against length, or tokens a second against batch; the subtitle says which way leads from where.

    Of several rounds the fastest is drawn, and a bar reaches to the slowest.

    Parameters
    ----------
    table
        Of :func:`~dgemma_viz.labs.decoding.time_by_length` or :func:`~dgemma_viz.labs.decoding.time_by_batch`.
    by
        Which of the two.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one line for each way of decoding, with an error bar where there are several rounds.

    Raises
    ------
    SettingError
        Unknown theme, or the table has not these columns or no rows.
    """
    look = theme_named(theme)
    of_length = by == "length"
    value = "seconds" if of_length else "tokens_per_second"
    if by not in ("length", "batch") or not {"way", by, value} <= set(table.columns) or table.empty:
        raise SettingError(f"give a table with rows and the columns 'way', 'length' or 'batch', and '{value}'")
    low = table.pivot_table(index=by, columns="way", values=value, aggfunc="min", sort=False).sort_index()
    high = table.pivot_table(index=by, columns="way", values=value, aggfunc="max", sort=False).sort_index()
    wide, slowest = (low, high) if of_length else (high, low)
    scale = 1e3 if of_length else 1
    values, spread = wide.to_numpy() * scale, np.abs(slowest.to_numpy() - wide.to_numpy()) * scale
    told = _leaders([str(way) for way in wide.columns], wide.index.to_numpy(), values, of_length=of_length)
    lines = told.count("<br>")
    title = "How long did an answer take?" if of_length else "How much was served at once?"
    figure = framed(NAME, look, title, told, height=400 + LINE * lines)
    unit, what = ("ms", "tokens") if of_length else ("tokens/s", "prompts at once")
    for number, way in enumerate(wide.columns):
        label = name_label(way)
        figure.add_trace(
            go.Scatter(
                name=label,
                x=wide.index.tolist(),
                y=values[:, number],
                mode="lines+markers",
                line=way_line(look, number),
                marker=way_marker(look, number),
                error_y=_to_the_slowest(spread[:, number], up=of_length),
                hovertemplate=f"<b>{label}</b><br>%{{x}} {what}: %{{y:.4~g}} {unit} · measured<extra></extra>",
            )
        )
    axis = {"rangemode": "tozero"} if of_length else {"type": "log", "tickvals": wide.index.tolist()}
    return figure.update_layout(
        xaxis={"title": {"text": "tokens of the answer" if of_length else "prompts at once"}, **axis},
        yaxis={"title": {"text": "milliseconds · measured" if of_length else "tokens a second, all · measured"}}
        | ({"rangemode": "tozero"} if of_length else {"type": "log", "tickvals": _ROUND}),
        **key_below(lines),
    )


def _to_the_slowest(spread: np.ndarray, *, up: bool) -> dict[str, object] | None:
    """Bars that reach from the fastest round to the slowest; None where there is one round."""
    if not spread.any():
        return None
    none = np.zeros_like(spread)
    return {"array": spread if up else none, "arrayminus": none if up else spread, "symmetric": False, "width": 3}


def _leaders(ways: list[str], places: np.ndarray, values: np.ndarray, *, of_length: bool) -> str:
    """Which way is the best at which measured places; escaped."""
    best = values.argmin(axis=1) if of_length else values.argmax(axis=1)
    starts = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist()]
    told = [f"from {places[at]}: {name_label(ways[best[at]])}" for at in starts[:4]]
    word = "fastest" if of_length else "most tokens a second"
    return (
        f"{word}, on this machine with this model:<br>"
        + "<br>".join(told)
        + ("<br>…" if len(starts) > len(told) else "")
    )
