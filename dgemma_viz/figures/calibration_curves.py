"""Calibration over the denoising steps: what drafts claim, what is right, and the gap between them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from dgemma_viz.analysis.intervals import Interval
from dgemma_viz.figures.frame import framed, message_figure, whole_ticks
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.uncertainty import band, interval_text, not_judged_note

if TYPE_CHECKING:
    import pandas as pd

NAME = "calibration_curves"
_TITLE = "When is confidence to be trusted?"
_HEIGHT = 560
_DOMAINS = {"yaxis": [0.64, 1], "yaxis2": [0.22, 0.56], "yaxis3": [0, 0.14]}


def calibration_curves(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Mean confidence and accuracy of the drafts, calibration error and Brier score, and how many runs, by step.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.calibration.calibration_per_step`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: scatters ``"mean confidence"`` and ``"fraction right"``; for ``"calibration error"`` and ``"Brier score"``
        a band each (95 % over runs) and a scatter; bar ``"runs"``. A click gives x = step. A plain message where
        nothing was judged.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if table.empty:
        return message_figure(NAME, look, _TITLE, "no draft could be judged:<br>give a reference with the right answer")
    note = not_judged_note(table)
    figure = framed(NAME, look, _TITLE, f"above the fraction right: overconfident; shaded: 95 %{note}", height=_HEIGHT)
    step = table["step"].to_numpy()
    figure.add_trace(_line(table, "mean_confidence", "mean confidence", (look.accent, "circle", "solid"), "y"))
    figure.add_trace(_line(table, "accuracy", "fraction right", (look.second, "diamond", "dash"), "y"))
    for column, name, style in (
        ("ece", "calibration error", (look.third, "square", "solid")),
        ("brier", "Brier score", (look.ink, "triangle-up", "dot")),
    ):
        interval = (table[f"{column}_low"].to_numpy(), table[f"{column}_high"].to_numpy())
        figure.add_trace(band(name, step, interval, style[0], "y2"))
        figure.add_trace(_line(table, column, name, style, "y2", interval))
    figure.add_trace(
        go.Bar(
            name="runs",
            x=step,
            y=table["runs"],
            customdata=table["count"],
            yaxis="y3",
            marker={"color": look.faint, "line": {"width": 0}},
            hovertemplate="%{y} run(s), %{customdata} drafts · derived<extra></extra>",
            showlegend=False,
        )
    )
    anchors = {"anchor": "x"}
    return figure.update_layout(
        margin={"t": 66 + 18 * bool(note), "b": 88, "l": 56},
        xaxis={
            "title": {"text": "denoising step of the canvas"},
            "unifiedhovertitle": {"text": "step %{x}"},
            "range": [-0.6, step[-1] + 0.6],
            "anchor": "y3",
            **whole_ticks(int(step[-1]) + 1),
        },
        yaxis={"domain": _DOMAINS["yaxis"], "range": [-0.04, 1.04], "title": {"text": "drafts · derived"}, **anchors},
        yaxis2={"domain": _DOMAINS["yaxis2"], "rangemode": "tozero", "title": {"text": "error · derived"}, **anchors},
        yaxis3={"domain": _DOMAINS["yaxis3"], "rangemode": "tozero", "title": {"text": "runs"}, "nticks": 3, **anchors},
        hovermode="x unified",
        hoversubplots="axis",
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _line(
    table: pd.DataFrame,
    column: str,
    name: str,
    style: tuple[str, str, str],
    yaxis: str,
    interval: Interval | None = None,
) -> go.Scatter:
    colour, symbol, dash = style
    ends = [] if interval is None else [interval_text(*pair) for pair in zip(*interval, strict=True)]
    return go.Scatter(
        name=name,
        x=table["step"],
        y=table[column],
        text=[f" ({words})" for words in ends] or [""] * len(table),
        xaxis="x",
        yaxis=yaxis,
        mode="lines+markers",
        line={"color": colour, "width": 1.75, "dash": dash},
        marker={"color": colour, "size": 5, "symbol": symbol},
        hovertemplate=f"{name}: %{{y:.3f}}%{{text}} · derived<extra></extra>",
    )
