"""Tokens a second against the number of users: where batching catches up with diffusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.figures.way_lines import LINE, key_below, way_line, way_marker

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dgemma_viz.costs.speeds import Speed

NAME = "speeds_by_batch"


def speeds_by_batch(speeds: Mapping[str, Sequence[Speed]], theme: str | Theme = "light") -> go.Figure:
    """Modelled throughput of all users together, both axes logarithmic; the limit of each point is in its hover.

    Parameters
    ----------
    speeds
        Label to a :class:`~dgemma_viz.costs.speeds.Speed` for each batch size; the same sizes for all.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one line for each way of decoding.

    Raises
    ------
    SettingError
        Unknown theme, nothing to draw, or batch sizes that differ.
    """
    look = theme_named(theme)
    batches = {tuple(speed.batch for speed in those) for those in speeds.values()}
    if len(batches) != 1 or not (sizes := batches.pop()):
        raise SettingError("give at least one way of decoding, and the same batch sizes for all of them")
    rates = {label: np.array([speed.tokens_per_second for speed in those]) for label, those in speeds.items()}
    told = _fastest(sizes, rates)
    lines = told.count("<br>")
    figure = framed(NAME, look, "Who serves more users?", told, height=400 + LINE * lines)
    for number, (label, those) in enumerate(speeds.items()):
        figure.add_trace(
            go.Scatter(
                name=name_label(label),
                x=list(sizes),
                y=rates[label],
                customdata=[[speed.step.total, speed.step.limit] for speed in those],
                mode="lines+markers",
                line=way_line(look, number),
                marker=way_marker(look, number),
                hovertemplate=f"<b>{name_label(label)}</b><br>%{{x}} users: %{{y:.4~g}} tokens/s · modelled<br>"
                "a pass takes %{customdata[0]:.3~g} ms, most of it %{customdata[1]}<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"type": "log", "title": {"text": "users at once"}, "tickvals": list(sizes)},
        yaxis={"type": "log", "title": {"text": "tokens a second, all users · modelled"}, "dtick": 1},
        **key_below(lines),
    )


def _fastest(sizes: Sequence[int], rates: Mapping[str, np.ndarray]) -> str:
    """Which way gives the most tokens at which of the batch sizes; escaped."""
    labels = list(rates)
    best = np.stack(list(rates.values())).argmax(axis=0)
    starts = [0, *(np.flatnonzero(np.diff(best)) + 1).tolist()]
    ends = [start - 1 for start in starts[1:]] + [len(sizes) - 1]
    return "most tokens a second, modelled:<br>" + "<br>".join(
        f"{_users(sizes[first], sizes[last])}: {name_label(labels[best[first]])}"
        for first, last in zip(starts, ends, strict=True)
    )


def _users(first: int, last: int) -> str:
    number = f"{first}" if first == last else f"{first} to {last}"
    return f"{number} user{'' if number == '1' else 's'}"
