"""The entropy budget of one step: the cumulative-entropy curve that acceptance climbs until the bound."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.amounts import nats
from dgemma_viz.analysis.acceptance import ranks, redecide, spent_before
from dgemma_viz.figures.frame import framed, message_figure, no_bound, no_steps
from dgemma_viz.figures.hover import passages, token_labels
from dgemma_viz.figures.marks import ACCEPTED, RE_NOISED
from dgemma_viz.figures.place import resolve_position, resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]

NAME = "entropy_budget"
_TITLE = "Who fits into the budget?"
_HEIGHT = 420
_FLOOR = 1e-7
"""Nats: less is drawn here on the logarithmic axis; the cheapest position has used nothing."""


def entropy_budget(
    trace: Trace,
    canvas: int = 0,
    sample: int = 0,
    step: int = -1,
    position: int | None = None,
    bound: float | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Positions in order of entropy against the entropy of all cheaper ones; accepted where that is within the bound.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    step
        Denoising step; negative ones count from the end.
    position
        Position to mark, or None.
    bound
        Another bound in nats to decide by (what if), beside the recorded one; None for the recorded one alone.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: markers ``"accepted"``, ``"re-noised"``, ``"would change"`` (where the what-if bound decides otherwise)
        and ``"selected"``, then lines ``"bound used"`` and ``"what-if bound"``; each always there, empty if it does not
        apply. x = rank by entropy from 1, y = nats used by the cheaper positions (log scale). A click gives
        customdata[0] = position. A plain message where no entropy bound decided.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; a bound below 0; step, position, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    if not run.n_steps:
        return message_figure(NAME, look, _TITLE, no_steps(run))
    if reason := no_bound(run):
        return message_figure(NAME, look, _TITLE, reason)
    step = resolve_step(run, step)
    if not run.decided[step]:
        return message_figure(NAME, look, _TITLE, f"step {step} made no decision")
    marked = None if position is None else resolve_position(run, position)
    accepted = run.array("accepted")[step]
    changed = np.zeros_like(accepted) if bound is None else redecide(run, bound)[step] != accepted
    used = float(run.array("entropy_bound")[step])
    figure = framed(NAME, look, _TITLE, _subtitle(accepted, changed, used, bound), height=_HEIGHT)
    chosen = np.zeros_like(accepted)
    if marked is not None:
        chosen[marked] = True
    spec = (
        ("accepted", accepted, {"symbol": "circle", "size": 8, "color": look.accent}),
        ("re-noised", ~accepted, {"symbol": "circle-open", "size": 8, "color": look.soft, "line": {"width": 1.5}}),
        ("would change", changed, {"symbol": "diamond-open", "size": 14, "color": look.warning, "line": {"width": 2}}),
        ("selected", chosen, {"symbol": "square-open", "size": 18, "color": look.ink, "line": {"width": 2}}),
    )
    for name, where, marker in spec:
        figure.add_trace(_marks(run, step, name, where, marker))
    ends = [0.0, run.canvas_length + 1.0]
    for name, level, dash, colour in (
        ("bound used", used, "solid", look.second),
        ("what-if bound", np.nan if bound is None else bound, "dash", look.third),
    ):
        shown = [] if np.isnan(level) else [max(level, _FLOOR)] * 2
        line = {"color": colour, "width": 1.75, "dash": dash}
        figure.add_trace(
            go.Scatter(name=name, x=ends[: len(shown)], y=shown, mode="lines", line=line, hoverinfo="skip")
        )
    return figure.update_layout(
        margin={"t": 62, "b": 92, "l": 64},
        xaxis={"title": {"text": "positions by entropy, the surest first · derived"}, "range": ends},
        yaxis={
            "type": "log",
            "title": {"text": "nats used by surer positions · derived"},
            "exponentformat": "power",
            "range": [
                np.log10(_FLOOR) - 0.3,
                np.log10(max(_highest(run), used if used > 0 else _FLOOR, bound or 0)) + 0.3,
            ],
            "nticks": 8,
        },
        legend={"orientation": "h", "y": -0.24, "yanchor": "top", "x": 0},
        showlegend=True,
    )


def _subtitle(accepted: Array, changed: Array, used: float, bound: float | None) -> str:
    words = f"{int(accepted.sum())} of {len(accepted)} accepted"
    words += f" within {nats(used, 6)}" if np.isfinite(used) else "; no entropy bound is known"
    if bound is not None:
        words += f" · with {nats(bound)} {int((accepted ^ changed).sum())} would be"
    return words


def _marks(run: CanvasRun, step: int, name: str, where: Array, marker: dict[str, Any]) -> go.Scatter:
    positions = np.flatnonzero(where)
    before, entropy = spent_before(run)[step, positions], run.array("entropy")[step, positions]
    drafts = token_labels(run, run.array("draft")[step, positions]) if len(positions) else np.array([], dtype=str)
    kept = run.array("accepted")[step, positions]
    outcome = np.where(kept, ACCEPTED.label, RE_NOISED.label)
    words = [
        f"<b>{token}</b> at position {position}<br>{passage}<br>{verdict} · measured<br>"
        f"entropy {own:.3g} nats · measured<br>"
        f"surer positions use {used:.3g} nats · derived"
        for token, position, passage, verdict, own, used in zip(
            drafts, positions, passages(run, step)[positions], outcome, entropy, before, strict=True
        )
    ]
    return go.Scatter(
        name=name,
        x=ranks(run)[step, positions] + 1,
        y=np.maximum(before, _FLOOR),
        mode="markers",
        marker=marker,
        customdata=positions[:, None],
        hovertext=words,
        hovertemplate="%{hovertext}<extra></extra>",
    )


def _highest(run: CanvasRun) -> float:
    """Largest sum over all steps, so that the axis stays while steps change."""
    sums = run.array("entropy").sum(axis=-1)
    return float(np.nanmax(sums[np.isfinite(sums)], initial=_FLOOR))
