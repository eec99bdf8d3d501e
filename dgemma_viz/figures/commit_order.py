"""In which order positions settled: position against commit step."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.positions import answer_positions, commit_steps, ever_accepted, flip_counts
from dgemma_viz.figures.frame import framed, message_figure, no_steps, whole_ticks
from dgemma_viz.figures.hover import token_labels
from dgemma_viz.figures.marks import decision_marks
from dgemma_viz.figures.place import resolve_run
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun, Trace

NAME = "commit_order"
_TITLE = "In which order positions settled"


def commit_order(trace: Trace, canvas: int = 0, sample: int = 0, theme: str | Theme = "light") -> go.Figure:
    """Commit step of every position; positions whose emitted token was never accepted have an open mark.

    What lies behind the end of the answer is marked apart: it is emitted as padding, which no step can have accepted.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: scatters ``"accepted at some step"`` and ``"never accepted"`` (unmasked, for mask tokens) of the answer
        and ``"behind the end of the answer"``, or one of all positions where the decisions were not recorded. A click
        gives x = position, y = step.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    if not run.n_steps:
        return message_figure(NAME, look, _TITLE, no_steps(run))
    figure = framed(NAME, look, _TITLE, "a falling diagonal means: from left to right", height=360)
    if {"accepted", "candidate"} & set(trace.facts.absent):
        everywhere = np.ones(run.canvas_length, dtype=bool)
        figure.add_trace(_dots(run, everywhere, "decisions not recorded", "circle", look.accent))
    else:
        ever, words = ever_accepted(run), decision_marks(trace)[Decision.ACCEPTED].label
        inside = answer_positions(run)
        figure.add_trace(_dots(run, ever & inside, f"{words} at some step", "circle", look.accent))
        figure.add_trace(_dots(run, ~ever & inside, f"never {words}", "diamond-open", look.warning))
        if not inside.all():
            figure.add_trace(_dots(run, ~inside, "behind the end of the answer", "x-thin", look.faint))
    return figure.update_layout(
        margin={"t": 62, "b": 76, "l": 56},
        xaxis={
            "title": {"text": "position"},
            "range": [-0.7, run.canvas_length - 0.3],
            **whole_ticks(run.canvas_length),
        },
        yaxis={
            "title": {"text": "commit step · derived"},
            "range": [run.n_steps - 0.5, -0.5],
            **whole_ticks(run.n_steps),
        },
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _dots(run: CanvasRun, where: Any, name: str, symbol: str, colour: str) -> go.Scatter:
    positions = np.flatnonzero(where)
    final = token_labels(run, run.array("draft")[-1][where])
    return go.Scatter(
        name=name,
        x=positions,
        y=commit_steps(run)[where],
        customdata=np.stack([final, flip_counts(run)[where]], axis=-1),
        mode="markers",
        marker={"symbol": symbol, "size": 7, "color": colour, "line": {"width": 1.5, "color": colour}},
        hovertemplate=(
            "<b>%{customdata[0]}</b><br>position %{x}<br>commit step %{y} · derived<br>"
            f"flips: %{{customdata[1]}} · derived<br>{name} · derived<extra></extra>"
        ),
    )
