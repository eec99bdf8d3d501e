"""Accuracy against decoder passes: which settings nothing else beats in both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.intervals import Array, Interval, wider
from dgemma_viz.analysis.pareto import pareto_frontier
from dgemma_viz.figures.frame import framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.figures.uncertainty import error_bars, interval_text

if TYPE_CHECKING:
    import pandas as pd

NAME = "pareto"
_TITLE = "How right, for how many decoder passes?"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_LONGEST_NAME = 80


def pareto(summary: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Accuracy against mean decoder passes, a point for each group of runs, and the frontier of those not beaten.

    Parameters
    ----------
    summary
        From :meth:`dgemma_viz.labs.sweep.Sweep.summary`; ``attrs["by"]`` names the columns that tell the groups apart.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: the line ``"frontier"`` (:func:`~dgemma_viz.analysis.pareto.pareto_frontier` of the points as they are),
        then a scatter for each sampler; filled marks lie on the frontier, open ones do not. Whiskers: 95 %, accuracy as
        far as Wilson's interval or the bootstrap over prompts reaches, passes by that bootstrap. A click gives
        customdata = the row's place in the table. A plain message where nothing was judged.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    places = np.flatnonzero(summary["judged"].to_numpy() > 0)
    if not len(places):
        return message_figure(NAME, look, _TITLE, "no run could be judged:<br>give a checker, or the right answers")
    drawn = summary.iloc[places]
    x, y = drawn["forwards"].to_numpy(dtype=float), drawn["accuracy"].to_numpy(dtype=float)
    best = pareto_frontier(x, y)
    judged = f"{int(drawn['judged'].sum()):,} judged runs of {len(drawn)} settings; whiskers: 95 %"
    figure = framed(NAME, look, _TITLE, judged + _left_out(summary), height=440)
    figure.add_trace(_frontier(x[best], y[best], look))
    hovers = _hovers(drawn, _names(drawn), best)
    samplers = drawn["sampler"].astype(str) if "sampler" in drawn else drawn["accuracy"].map(lambda _: "runs")
    colours = (look.accent, look.second, look.third, look.warning, look.soft)
    ends_x, ends_y = _passes_interval(drawn), _accuracy_interval(drawn)
    for number, sampler in enumerate(dict.fromkeys(samplers)):
        of = (samplers == sampler).to_numpy()
        colour, symbol = colours[number % len(colours)], _SYMBOLS[number % len(_SYMBOLS)]
        figure.add_trace(
            go.Scatter(
                name=name_label(sampler),
                x=x[of],
                y=y[of],
                mode="markers",
                customdata=places[of],
                hovertext=hovers[of],
                error_x=error_bars(x[of], (ends_x[0][of], ends_x[1][of]), colour),
                error_y=error_bars(y[of], (ends_y[0][of], ends_y[1][of]), colour),
                marker={
                    "color": colour,
                    "size": 10,
                    "symbol": [symbol if on else f"{symbol}-open" for on in best[of]],
                    "line": {"width": 2},
                },
                hovertemplate="%{hovertext}<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"title": {"text": "mean decoder passes of an answer · measured"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "fraction right · derived"}, "range": [-0.04, 1.04], "dtick": 0.2},
        margin={"t": 66, "b": 92, "l": 64},
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _frontier(x: Array, y: Array, look: Theme) -> go.Scatter:
    """Steps: between two points of the frontier, the cheaper one is the best that there is."""
    order = np.lexsort((y, x))
    return go.Scatter(
        name="frontier (filled marks)",
        x=x[order],
        y=y[order],
        mode="lines",
        line={"color": look.soft, "width": 1.5, "dash": "dot", "shape": "hv"},
        hoverinfo="skip",
    )


def _names(drawn: pd.DataFrame) -> list[str]:
    """What tells each group apart, a line for each part; escaped."""
    by = drawn.attrs.get("by", ["setting"])
    if by == ["setting"]:
        parts = [str(setting).split(" · ") for setting in drawn["setting"]]
    else:
        parts = [[f"{name}: {value}" for name, value in zip(by, row, strict=True)] for row in drawn[by].to_numpy()]
    return ["<br>".join(name_label(part, _LONGEST_NAME) for part in lines) for lines in parts]


def _hovers(drawn: pd.DataFrame, names: list[str], best: Array) -> Array:
    (low, high), (least, most) = _accuracy_interval(drawn), _passes_interval(drawn)
    columns = (drawn[name].tolist() for name in ("right", "judged", "accuracy", "forwards", "failed"))
    numbers = (drawn[name].tolist() for name in ("tokens_per_forward", "seconds"))
    rows = zip(names, best, *columns, *numbers, low, high, least, most, strict=True)
    return np.array(
        [
            f"<b>{name}</b><br>{accuracy:.3f} right ({right} of {judged}), 95 %: {interval_text(*ends)} · derived<br>"
            f"{forwards:.2f} passes, 95 %: {interval_text(*spread)} · measured<br>"
            f"{tokens:.2f} tokens per forward · derived<br>{seconds:.3g} s a run · measured"
            + (f"<br>{counted(failed, 'run')} failed" if failed else "")
            + ("<br>on the frontier" if on else "")
            for name, on, right, judged, accuracy, forwards, failed, tokens, seconds, *ends_and_spread in rows
            for ends, spread in [(ends_and_spread[:2], ends_and_spread[2:])]
        ],
        dtype=object,
    )


def _accuracy_interval(drawn: pd.DataFrame) -> Interval:
    return wider(_ends(drawn, "low", "high"), _ends(drawn, "prompts_low", "prompts_high"))


def _passes_interval(drawn: pd.DataFrame) -> Interval:
    return _ends(drawn, "forwards_low", "forwards_high")


def _ends(drawn: pd.DataFrame, low: str, high: str) -> Interval:
    return drawn[low].to_numpy(dtype=float), drawn[high].to_numpy(dtype=float)


def _left_out(summary: pd.DataFrame) -> str:
    """A second line for the subtitle, where groups have no judged run."""
    missing = int((summary["judged"] == 0).sum())
    return f"<br>{missing} without a judged run left out" if missing else ""
