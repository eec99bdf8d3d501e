"""Positions accepted in each step, as recorded and as another bound would have decided."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.amounts import nats
from dgemma_viz.analysis.acceptance import first_change, redecide
from dgemma_viz.analysis.steps import accepted_counts
from dgemma_viz.figures.frame import framed, message_figure, no_bound, no_steps, whole_ticks
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.place import resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.model import Trace

NAME = "accepted_by_bound"
_TITLE = "How many would be accepted?"
_HEIGHT = 420


def accepted_by_bound(
    trace: Trace,
    canvas: int = 0,
    sample: int = 0,
    step: int | None = None,
    bound: float = 0.1,
    theme: str | Theme = "light",
) -> go.Figure:
    """Accepted positions per step, recorded and re-decided under another bound from the recorded entropies.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    step
        Step at which to draw a marker line, or None; negative steps count from the end.
    bound
        The other bound, in nats.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: scatters ``"recorded"``, ``"what if"`` (up to the first step that changes) and ``"hypothetical"`` (after
        it: the model would have read another canvas). A click gives x = step. A plain message where no bound decided.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; a bound below 0; step, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    if not run.n_steps:
        return message_figure(NAME, look, _TITLE, no_steps(run))
    if reason := no_bound(run):
        return message_figure(NAME, look, _TITLE, reason)
    step = None if step is None else resolve_step(run, step)
    steps, change = np.arange(run.n_steps), first_change(run, bound)
    what_if = np.where(run.decided, redecide(run, bound).sum(axis=-1), np.nan)
    words = f"at {nats(bound)} no step changes" if change is None else f"at {nats(bound)} step {change} changes first"
    figure = framed(NAME, look, _TITLE, words, height=_HEIGHT)
    certain = steps <= (run.n_steps if change is None else change)
    for name, values, where, colour, symbol, dash in (
        ("recorded", accepted_counts(run), steps >= 0, look.accent, "circle", "solid"),
        ("what if", what_if, certain, look.third, "diamond", "dash"),
        ("hypothetical", what_if, ~certain, look.third, "diamond-open", "dot"),
    ):
        figure.add_trace(
            go.Scatter(
                name=name,
                x=steps[where],
                y=values[where],
                mode="lines+markers",
                line={"color": colour, "width": 1.75, "dash": dash},
                marker={"color": colour, "symbol": symbol, "size": 7},
                hovertemplate=f"step %{{x}}: %{{y}} of {run.canvas_length} accepted · "
                f"{'measured' if name == 'recorded' else 'derived'}<extra>{name}</extra>",
            )
        )
    return figure.update_layout(
        margin={"t": 62, "b": 92, "l": 56},
        shapes=[] if step is None else [step_marker(step, look)],
        xaxis={"title": {"text": "denoising step"}, "range": [-0.5, run.n_steps - 0.5], **whole_ticks(run.n_steps)},
        yaxis={"title": {"text": "accepted positions"}, "range": [0, run.canvas_length * 1.05]},
        legend={"orientation": "h", "y": -0.24, "yanchor": "top", "x": 0},
        showlegend=True,
    )
