"""How early the answer is there: fractions of runs already right, ever right and already final, by step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dgemma_viz.figures.frame import framed, message_figure, whole_ticks
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.uncertainty import band, interval_text

if TYPE_CHECKING:
    import pandas as pd

NAME = "answer_curves"
_TITLE = "How early is the answer there?"
_STYLES = {
    "final": ("already final", "third", "square", "dot"),
    "ever_right": ("right at some step", "second", "diamond", "dash"),
    "right": ("right now", "accent", "circle", "solid"),
}


def answer_curves(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Fractions of runs by step; what lies between *right at some step* and *right now* was lost again.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.early_answers.early_answers`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: for ``"already final"``, ``"right at some step"`` and ``"right now"`` a band (95 %, Wilson) and a scatter.
        A click gives x = step. A plain message where no run was judged.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if table.empty:
        return message_figure(NAME, look, _TITLE, "no run was judged to its end:<br>give a reference")
    total = int(table["runs"].iloc[0])
    subtitle = f"{total} runs, each keeping its last answer; shaded: 95 %"
    figure = framed(NAME, look, _TITLE, subtitle, height=380)
    step = table["step"].to_numpy()
    for column, (name, colour, symbol, dash) in _STYLES.items():
        shade = getattr(look, colour)
        low, high = table[f"{column}_low"].to_numpy(), table[f"{column}_high"].to_numpy()
        figure.add_trace(band(name, step, (low, high), shade))
        figure.add_trace(
            go.Scatter(
                name=name,
                x=step,
                y=table[column],
                text=[interval_text(*ends) for ends in zip(low, high, strict=True)],
                customdata=table["running"],
                mode="lines+markers",
                line={"color": shade, "width": 1.75, "dash": dash},
                marker={"color": shade, "size": 5, "symbol": symbol},
                hovertemplate=f"{name}: %{{y:.3f}} (%{{text}}) · derived<extra></extra>",
            )
        )
    return figure.update_layout(
        margin={"t": 66, "b": 88, "l": 56},
        xaxis={
            "title": {"text": "denoising step"},
            "unifiedhovertitle": {"text": "step %{x}"},
            "range": [-0.5, step[-1] + 0.5],
            **whole_ticks(len(step)),
        },
        yaxis={"title": {"text": "fraction of runs · derived"}, "range": [-0.04, 1.04], "dtick": 0.2},
        hovermode="x unified",
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )
