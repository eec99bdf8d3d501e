"""How many runs ended in which way; a click on a bar is meant to open its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.failure_kinds import FailureKind
from dgemma_viz.figures.frame import framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.uncertainty import error_bars, interval_text

if TYPE_CHECKING:
    import pandas as pd

NAME = "failure_bars"
_TITLE = "How did the runs end?"
_MOST_RUNS_NAMED = 8
_ROW, _AROUND = 30, 130
_NEUTRAL = {FailureKind.NOT_JUDGED.value, FailureKind.CUT_OFF.value}


def failure_bars(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Runs by kind, in order of precedence, right ones first.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.failure_kinds.failure_kinds`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: bar ``"runs"``, one bar for each kind that occurs. A click gives y and customdata = kind, as in the table,
        whose row holds the runs' indices. A plain message where there are no runs.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    shown = table[table["count"] > 0]
    if shown.empty:
        return message_figure(NAME, look, _TITLE, "no runs")
    total = int(shown["count"].sum())
    subtitle = f"{total} {'run' if total == 1 else 'runs'}; whiskers: 95 %"
    figure = framed(NAME, look, _TITLE, subtitle, height=_AROUND + _ROW * len(shown))
    counts, interval = shown["count"].to_numpy(dtype=float), (shown["low"] * total, shown["high"] * total)
    figure.add_trace(
        go.Bar(
            name="runs",
            orientation="h",
            x=counts,
            y=shown["kind"],
            customdata=shown["kind"],
            hovertext=[
                f"{len(runs)} of {total} runs · derived<br>"
                f"share {share:.3f}, 95 %: {interval_text(low, high)} · derived<br>{_named(runs)}"
                for share, low, high, runs in zip(
                    *(shown[name].tolist() for name in ("share", "low", "high", "runs")), strict=True
                )
            ],
            error_x=error_bars(counts, (interval[0].to_numpy(), interval[1].to_numpy()), look.ink),
            marker={"color": [_colour(kind, look) for kind in shown["kind"]], "line": {"width": 0}},
            hovertemplate="<b>%{customdata}</b><br>%{hovertext}<extra></extra>",
        )
    )
    return figure.update_layout(
        margin={"t": 62, "b": 48, "l": 12},
        xaxis={"title": {"text": "runs · derived"}, "rangemode": "tozero"},
        yaxis={
            "autorange": "reversed",
            "ticktext": [f"{kind}  <b>{count}</b>" for kind, count in zip(shown["kind"], shown["count"], strict=True)],
            "tickvals": np.arange(len(shown)),
            "tickfont": {"size": 12, "color": look.ink},
        },
        bargap=0.35,
        showlegend=False,
    )


def _colour(kind: str, look: Theme) -> str:
    if kind == FailureKind.RIGHT.value:
        return look.third
    return look.faint if kind in _NEUTRAL else look.second


def _named(runs: tuple[int, ...]) -> str:
    more = f" and {len(runs) - _MOST_RUNS_NAMED} more" if len(runs) > _MOST_RUNS_NAMED else ""
    return f"{'run' if len(runs) == 1 else 'runs'} {', '.join(map(str, runs[:_MOST_RUNS_NAMED]))}{more}"
