"""Where different seeds agree: the vote at each position of one prompt's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.figures.frame import framed, message_figure, whole_ticks
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import label

if TYPE_CHECKING:
    import pandas as pd

NAME = "agreement_bars"
_TITLE = "Where do different seeds agree?"
_LABELS_UP_TO = 40
"""Most positions with their token at the axis."""
_ENDED = "(ended)"


def agreement_bars(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Share of runs that emitted the most frequent token, position by position.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.seed_agreement.seed_agreement`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: bars ``"all agree"`` and ``"some differ"`` (hatched). A click gives x = position, counted over all
        canvases, and customdata[0:2] = canvas and position in it. A plain message where nothing was emitted.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if table.empty:
        return message_figure(NAME, look, _TITLE, "no run has emitted an answer")
    unanimous = table["tokens"].to_numpy() == 1
    runs = int(table["runs"].max())
    subtitle = f"{counted(runs, 'run')} of one prompt; all agree at {unanimous.sum()} of {len(table)} positions"
    figure = framed(NAME, look, _TITLE, subtitle, height=340)
    figure.add_trace(_bars(table, unanimous, "all agree", look.accent, ""))
    figure.add_trace(_bars(table, ~unanimous, "some differ", look.second, "/"))
    return figure.update_layout(
        margin={"t": 66, "b": 84, "l": 56},
        xaxis={"title": {"text": "most frequent token · measured"}, **_ticks(table)},
        yaxis={"title": {"text": "share of runs · derived"}, "range": [0, 1.04], "dtick": 0.2},
        barmode="overlay",
        bargap=0.15,
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _bars(table: pd.DataFrame, where: Any, name: str, colour: str, hatch: str) -> go.Bar:
    shown = table[where]
    details = [shown["canvas"], shown["position"], shown["votes"], shown["runs"], shown["tokens"]]
    return go.Bar(
        name=name,
        x=np.flatnonzero(where),
        y=shown["share"],
        text=_tokens(shown, 24),
        textposition="none",
        customdata=np.stack([*details, shown["vote_entropy"].round(4)], axis=-1),
        marker={"color": colour, "line": {"width": 0}, "pattern": {"shape": hatch, "solidity": 0.35}},
        hovertemplate=(
            "<b>%{text}</b><br>canvas %{customdata[0]:d} · position %{customdata[1]:d}<br>"
            "%{customdata[2]:d} of %{customdata[3]:d} runs, %{customdata[4]:d} different tokens · derived<br>"
            "entropy of the vote: %{customdata[5]:.3~f} nats · derived<extra></extra>"
        ),
    )


def _tokens(table: pd.DataFrame, max_length: int) -> list[str]:
    pairs = zip(table["token"], table["ended"], strict=True)
    return [_ENDED if ended else label(text, max_length) for text, ended in pairs]


def _ticks(table: pd.DataFrame) -> dict[str, Any]:
    if len(table) > _LABELS_UP_TO:
        return {"title": {"text": "position"}, **whole_ticks(len(table))}
    return {"tickvals": np.arange(len(table)), "ticktext": _tokens(table, 12), "range": [-0.6, len(table) - 0.4]}
