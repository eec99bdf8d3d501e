"""Time of an answer against its length, by way of decoding: where the lines cross, one way becomes the faster."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.costs.speeds import Speed
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import LINE, framed, key_below
from dgemma_viz.figures.marks import way_line
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.range_check import checked_range

NAME = "answer_times"
_MOST_POINTS = 2000


def answer_times(speeds: Mapping[str, Speed], longest: int = 512, theme: str | Theme = "light") -> go.Figure:
    """Modelled time against length; whole canvases are paid, so diffusion is a staircase.

    Parameters
    ----------
    speeds
        Label to :class:`~dgemma_viz.costs.speeds.Speed`.
    longest
        Tokens of the longest answer.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one line for each way. Another selection of ways changes data and titles only.

    Raises
    ------
    SettingError
        Unknown theme, nothing to draw, or a length out of range.
    """
    look = theme_named(theme)
    if not speeds:
        raise SettingError("there is no way of decoding to draw: give at least one")
    checked_range("a longest answer", longest, 2, 1_000_000, whole=True, unit="tokens")  # a line needs two points
    lengths = np.unique(np.linspace(1, longest, min(longest, _MOST_POINTS)).astype(int))
    times = {label: np.array([speed.milliseconds_for(int(n)) for n in lengths]) for label, speed in speeds.items()}
    told = _crossing(lengths, times)
    lines = told.count("<br>")
    figure = framed(NAME, look, "How long does an answer take?", told, height=400 + LINE * lines)
    for number, (label, values) in enumerate(times.items()):
        figure.add_trace(
            go.Scatter(
                name=name_label(label),
                x=lengths,
                y=values,
                mode="lines",
                line=way_line(look, number) | {"shape": "hv"},
                hovertemplate=f"<b>{name_label(label)}</b><br>%{{x}} tokens: %{{y:.4~g}} ms · modelled<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"title": {"text": "tokens of the answer"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "milliseconds · modelled"}, "rangemode": "tozero"},
        **key_below(lines),
    )


def _crossing(lengths: np.ndarray, times: Mapping[str, np.ndarray]) -> str:
    """Which way is the fastest from which length on; escaped."""
    labels, values = list(times), np.stack(list(times.values()))
    fastest = values.argmin(axis=0)
    starts = [0, *(np.flatnonzero(np.diff(fastest)) + 1).tolist()]
    told = [f"from {lengths[at]}: {name_label(labels[fastest[at]])}" for at in starts[:3]]
    more = "<br>…" if len(starts) > len(told) else ""
    return "fastest, modelled:<br>" + "<br>".join(told) + more
