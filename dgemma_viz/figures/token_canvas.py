"""The token canvas at one step as a still figure: readable tokens, coloured and marked, alternatives on hover."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.analysis.positions import flips
from dgemma_viz.figures.colour_scales import colour_at, plotly_scale, text_on
from dgemma_viz.figures.frame import framed, message_figure, no_steps
from dgemma_viz.figures.hover import alternatives_text, outcome_texts, token_labels, value_lines
from dgemma_viz.figures.marks import CHANGED, Mark, decision_marks, decisions, shown_decisions
from dgemma_viz.figures.place import resolve_run, resolve_step
from dgemma_viz.figures.quantities import COLORBAR_TOP, Quantity, colorbar, quantity_of
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS

Array = npt.NDArray[Any]

NAME = "token_canvas"
_ROW = 36
"""Pixels a row of tokens."""
_CHARACTERS_A_ROW = 104
"""Characters that a row holds at the width of a notebook."""
_MOST_CHARACTERS = 9
_MOST_COLUMNS = 64


def token_canvas(
    trace: Trace,
    canvas: int = 0,
    sample: int = 0,
    step: int = -1,
    quantity: str = "confidence",
    theme: str | Theme = "light",
    columns: int = 16,
) -> go.Figure:
    """Grid of draft tokens at one step; the interactive counterpart is :func:`dgemma_viz.explore`.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    step
        Which step; negative ones count from the end.
    quantity
        What colour stands for: one of :data:`dgemma_viz.figures.quantities.QUANTITIES`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.
    columns
        Tokens a row, 1 to 64. Token texts are cut for a figure of about 900 pixels: choose fewer for a narrow page.

    Returns
    -------
    go.Figure
        Data: heatmap ``"values"``, heatmap ``"no value"``, scatter ``"tokens"`` (texts), then the marks ``"accepted"``,
        ``"re-noised"`` and ``"draft changed"``. Another step changes their data and the titles.

    Raises
    ------
    SettingError, TraceError
        Unknown quantity or theme, bad number of columns; step, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    shown = quantity_of(run.trace, quantity)
    checked_range("columns", columns, 1, _MOST_COLUMNS, whole=True)
    title = f"Canvas {run.canvas}"
    if not run.n_steps:
        return message_figure(NAME, look, title, no_steps(run))
    step = resolve_step(run, step)
    columns = min(columns, run.canvas_length)
    rows = _rows(run, columns)
    codes, words, changed = decisions(run)[step], decision_marks(run.trace), flips(run)[step]
    values = shown.values(run)
    subtitle = f"drafts; colour: {shown.heading}"
    figure = framed(NAME, look, f"{title}, step {step}", subtitle, _height(run, columns))
    figure.add_traces(_grids(run, step, shown, values, columns, look))
    figure.add_trace(_texts(run, step, background_colours(shown, values, step, look), columns, look))
    figure.add_traces(
        [
            *(
                _underlines(words[code], np.flatnonzero(codes == code), columns, look.ink if code else look.soft)
                for code in shown_decisions(run)
            ),
            _corners(CHANGED, np.flatnonzero(changed), columns, look),
        ]
    )
    return figure.update_layout(
        margin={"t": COLORBAR_TOP, "b": 44, "l": 12, "r": 12},
        xaxis={"visible": False, "range": [-0.52, columns - 0.48], "fixedrange": True},
        yaxis={"visible": False, "range": [rows - 0.4, -0.52], "fixedrange": True},
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _rows(run: CanvasRun, columns: int) -> int:
    return -(-run.canvas_length // columns)


def _height(run: CanvasRun, columns: int) -> int:
    return 152 + _ROW * _rows(run, columns)


def _grids(run: CanvasRun, step: int, shown: Quantity, values: Array, columns: int, look: Theme) -> list[go.Heatmap]:
    """Coloured cells, and plain cells where there is no value; both carry the hover texts."""
    low, high = shown.value_range(values)
    now = values[step]
    details = [
        token_labels(run, run.array("draft")[step]),
        value_lines(shown, now),
        outcome_texts(run)[step],
        np.where(flips(run)[step], f"{CHANGED.glyph} {CHANGED.label} · derived<br>", ""),
        np.array([alternatives_text(run, step, p) for p in range(run.canvas_length)]),
        np.arange(run.canvas_length).astype(str),
    ]
    common = {
        "customdata": np.stack([_grid(detail, columns, "") for detail in details], axis=-1),
        "xgap": 4,
        "ygap": 9,
        "hoverongaps": False,
        "hovertemplate": (
            "<b>%{customdata[0]}</b><br>position %{customdata[5]} · "
            f"step {step}<br>%{{customdata[1]}}%{{customdata[2]}} · {ARRAYS['accepted'].provenance}<br>"
            "%{customdata[3]}%{customdata[4]}<extra></extra>"
        ),
    }
    scale = plotly_scale(look.scale(shown.scale), steps=bool(shown.categories))
    bar = colorbar(shown, _height(run, columns))
    absent = np.where(np.isnan(now), 0.0, np.nan)
    plain = [[0, look.raised], [1, look.raised]]
    return [
        go.Heatmap(
            name="values", z=_grid(now, columns, np.nan), zmin=low, zmax=high, colorscale=scale, colorbar=bar, **common
        ),
        go.Heatmap(name="no value", z=_grid(absent, columns, np.nan), colorscale=plain, showscale=False, **common),
    ]


def _grid(flat: Array, columns: int, fill: Any) -> Array:
    """A flat array in rows of ``columns``, the last row filled up."""
    short = -len(flat) % columns
    return np.concatenate([flat, np.full(short, fill, dtype=flat.dtype)]).reshape(-1, columns)


def background_colours(shown: Quantity, values: Array, step: int, look: Theme) -> list[str]:
    """Colour behind each token, ``#rrggbb``."""
    low, high = shown.value_range(values)
    stops = look.scale(shown.scale)

    def colour(value: float) -> str:
        if math.isnan(value):
            return look.raised
        return stops[int(value)] if shown.categories else colour_at(stops, (value - low) / (high - low))

    return [colour(value) for value in values[step].tolist()]


def _texts(run: CanvasRun, step: int, backgrounds: list[str], columns: int, look: Theme) -> go.Scatter:
    positions = np.arange(run.canvas_length)
    return go.Scatter(
        name="tokens",
        x=positions % columns,
        y=positions // columns,
        mode="text",
        text=token_labels(run, run.array("draft")[step], max(3, min(_MOST_CHARACTERS, _CHARACTERS_A_ROW // columns))),
        textfont={"family": look.mono, "size": 12, "color": [text_on(colour) for colour in backgrounds]},
        hoverinfo="skip",
        showlegend=False,
    )


def _underlines(mark: Mark, positions: Array, columns: int, colour: str) -> go.Scatter:
    """One short line below each position, as in the interactive canvas."""
    x, y = (positions % columns).astype(float), positions // columns + 0.45
    gap = np.full(len(positions), np.nan)
    return go.Scatter(
        name=f"{mark.label} · measured",
        x=np.stack([x - 0.42, x + 0.42, gap], axis=-1).ravel(),
        y=np.stack([y, y, gap], axis=-1).ravel(),
        mode="lines",
        line={"color": colour, "width": mark.width, "dash": mark.dash},
        hoverinfo="skip",
    )


def _corners(mark: Mark, positions: Array, columns: int, look: Theme) -> go.Scatter:
    """A small triangle in the upper right corner of each position."""
    return go.Scatter(
        name=f"{mark.label} · derived",
        x=positions % columns + 0.4,
        y=positions // columns - 0.34,
        mode="markers",
        marker={"symbol": mark.symbol, "size": 9, "color": look.warning, "line": {"width": 1, "color": look.paper}},
        hoverinfo="skip",
    )
