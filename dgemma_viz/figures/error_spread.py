"""Does one bad token ruin the block? Each wrong answer by its length and by how many of its tokens are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.figures.frame import framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named

if TYPE_CHECKING:
    import pandas as pd

NAME = "error_spread"
_TITLE = "How much of a wrong answer is wrong?"
_HEIGHT = 430


def error_spread(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Wrong tokens against tokens of each wrong answer, between the lines *one token* and *every token*.

    Parameters
    ----------
    table
        From :func:`dgemma_viz.analysis.failure_kinds.error_spread`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: lines ``"every token wrong"`` and ``"one token wrong"``, scatter ``"wrong answers"`` whose marker area
        grows with the number of answers. A plain message where no answer was wrong.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if table.empty:
        return message_figure(NAME, look, _TITLE, "no answer with a wrong token")
    share = float(table["share"].mean())
    whole = int((table["share"] == 1).sum())
    words = f"{len(table)} wrong answers · {share:.0%} of their tokens wrong, all in {whole}"
    figure = framed(NAME, look, _TITLE, words, height=_HEIGHT)
    most = int(table["tokens"].max())
    for name, end, dash, colour in (
        ("every token wrong", most, "dash", look.second),
        ("one token wrong", 1, "dot", look.third),
    ):
        line = {"color": colour, "width": 1.5, "dash": dash}
        figure.add_trace(go.Scatter(name=name, x=[1, most], y=[1, end], mode="lines", line=line, hoverinfo="skip"))
    counted = table.groupby(["tokens", "wrong"], as_index=False).size()
    figure.add_trace(
        go.Scatter(
            name="wrong answers",
            x=counted["tokens"],
            y=counted["wrong"],
            mode="markers",
            customdata=counted["size"],
            marker={
                "size": 9 * np.sqrt(counted["size"].to_numpy(dtype=float)),
                "color": look.accent,
                "opacity": 0.85,
                "line": {"color": look.paper, "width": 1},
            },
            hovertemplate="%{customdata} answer(s) of %{x} tokens: %{y} wrong · derived<extra></extra>",
        )
    )
    return figure.update_layout(
        margin={"t": 62, "b": 84, "l": 52},
        xaxis={"title": {"text": "tokens of the answer · derived"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "wrong tokens · derived"}, "rangemode": "tozero"},
        legend={"orientation": "h", "y": -0.2, "yanchor": "top", "x": 0},
    )
