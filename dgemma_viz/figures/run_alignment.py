"""Several runs under each other, token by token: what each emitted, and when it first parted from the base run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.alignment import NEVER, parted_at
from dgemma_viz.analysis.divergence import divergence
from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.figures.colour_scales import colour_at, plotly_scale, text_on
from dgemma_viz.figures.frame import framed, message_figure, whole_ticks
from dgemma_viz.figures.hover import token_labels
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]

NAME = "run_alignment"
_TITLE = "Same seed, several settings"
_SCALE = "purple"
_ROW, _TOP, _BOTTOM = 30, 70, 92
"""Pixels of a row, above the rows, and below."""
_TEXTS_UP_TO = 20
"""Most positions with their token written in the cell."""
_LONGEST_LABEL = 28
_LONGEST_SENTENCE = 400
_FIRST = "star-diamond"


def run_alignment(
    runs: Mapping[str, Trace], canvas: int = 0, sample: int = 0, theme: str | Theme = "light"
) -> go.Figure:
    """Emitted tokens of several runs, one row each, coloured by the step at which the draft parted from the base run.

    Parameters
    ----------
    runs
        By label; the first is the base. From :func:`dgemma_viz.labs.same_seed.same_seed`, or any traces of one
        vocabulary.
    canvas, sample
        Which, counted from 0. The positions of the answer are shown.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: heatmap ``"same"`` (never parted), heatmap ``"parted"`` (the step), scatter ``"first difference"`` at
        the positions of each run's first divergent step, if that is on this canvas, and scatter ``"tokens"``, up to 20
        positions. A click gives x = position. A plain message where no run has the canvas.

    Raises
    ------
    SettingError, TraceError
        Unknown theme, no runs, or traces that cannot be compared.
    """
    look = theme_named(theme)
    there = {label: trace for label, trace in runs.items() if _has(trace, canvas, sample)}
    if len(there) < len(runs) or not there:
        missing = ", ".join(name_label(label) for label in runs if label not in there) or "every run"
        return message_figure(NAME, look, _TITLE, f"canvas {canvas} of sample {sample} is not in {missing}")
    labels, base = list(there), next(iter(there.values()))
    each = [trace.canvas_run(canvas, sample) for trace in there.values()]
    width = 1 + int(np.flatnonzero(np.any([_answer(run) for run in each], axis=0))[-1])
    parted = np.stack([parted_at(base, trace, canvas, sample)[:width] for trace in there.values()])
    firsts = [divergence(base, trace, sample) for trace in there.values()]
    apart = sum(first is not None for first in firsts)
    figure = framed(
        NAME,
        look,
        _TITLE,
        f"{apart} of the other {counted(len(labels) - 1, 'run')} {'part' if apart != 1 else 'parts'} from the first",
        _TOP + _ROW * len(labels) + _BOTTOM,
    )
    figure.add_traces(_cells(each, parted, look))
    marks = [
        (position, row)
        for row, first in enumerate(firsts)
        if first is not None and first.canvas == canvas
        for position in first.positions
        if position < width
    ]
    figure.add_trace(_marks(marks, [first.what if first else "" for first in firsts], look))
    if width <= _TEXTS_UP_TO:
        figure.add_trace(_texts(each, parted, look))
    return figure.update_layout(
        margin={"t": _TOP, "b": _BOTTOM, "l": 12, "r": 16},
        xaxis={"title": {"text": "position"}, "range": [-0.5, width - 0.5], "showgrid": False, **whole_ticks(width)},
        yaxis={
            "tickvals": list(range(len(labels))),
            "ticktext": [name_label(label, _LONGEST_LABEL) for label in labels],
            "range": [len(labels) - 0.5, -0.5],
            "showgrid": False,
            "automargin": True,
        },
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _has(trace: Trace, canvas: int, sample: int) -> bool:
    inside = 0 <= canvas < trace.n_canvases and 0 <= sample < trace.n_samples
    return inside and trace.canvas_run(canvas, sample).n_steps > 0


def _answer(run: CanvasRun) -> Array:
    """Answer positions; at least the first, so that an empty answer has a column."""
    found = answer_positions(run)
    found[0] = True
    return found


def _final(run: CanvasRun) -> Array:
    """Emitted tokens, or the last draft of a canvas that was not emitted."""
    ids: Array = run.array("draft")[-1] if run.emitted is None else run.emitted
    return ids


def _cells(each: list[CanvasRun], parted: Array, look: Theme) -> list[go.Heatmap]:
    width = parted.shape[1]
    texts = np.stack([token_labels(run, _final(run)[:width]) for run in each])
    steps = np.array([run.n_steps for run in each])[:, None] + np.zeros(parted.shape, dtype=int)
    words = np.where(
        parted == NEVER, "drafts as in the first run", np.char.add("draft parted at step ", parted.astype(str))
    )
    common = {
        "x": np.arange(width),
        "y": np.arange(len(each)),
        "customdata": np.stack([texts, words.astype(object), steps], axis=-1),
        "xgap": 2,
        "ygap": 3,
        "hoverongaps": False,
        "hovertemplate": "<b>%{customdata[0]}</b> · measured<br>position %{x}<br>%{customdata[1]} · derived<br>"
        "%{customdata[2]} steps · measured<extra></extra>",
    }
    same, other = np.where(parted == NEVER, 0.0, np.nan), np.where(parted == NEVER, np.nan, parted)
    return [
        go.Heatmap(name="same", z=same, colorscale=[[0, look.raised], [1, look.raised]], showscale=False, **common),
        go.Heatmap(
            name="parted",
            z=other,
            zmin=0,
            zmax=_latest(parted),
            colorscale=plotly_scale(look.scale(_SCALE), steps=False),
            colorbar={
                "title": {"text": "parted at step", "side": "right"},
                "thickness": 9,
                "outlinewidth": 0,
                "ticks": "",
                "tickformat": "d",
                "dtick": max(1, _latest(parted) // 4),
            },
            showscale=bool((parted != NEVER).any()),
            **common,
        ),
    ]


def _latest(parted: Array) -> int:
    return max(1, int(parted.max(initial=0)))


def _marks(places: list[tuple[int, int]], what: list[str], look: Theme) -> go.Scatter:
    return go.Scatter(
        name="first difference · derived",
        x=[position for position, _ in places],
        y=[row + 0.36 for _, row in places],
        text=[name_label(what[row], _LONGEST_SENTENCE) for _, row in places],
        mode="markers",
        marker={"symbol": _FIRST, "size": 8, "color": look.warning, "line": {"width": 1, "color": look.paper}},
        hovertemplate="<b>first difference</b> at position %{x}<br>%{text}<extra></extra>",
    )


def _texts(each: list[CanvasRun], parted: Array, look: Theme) -> go.Scatter:
    rows, columns = np.indices(parted.shape)
    stops, latest = look.scale(_SCALE), _latest(parted)
    behind = [look.raised if step == NEVER else colour_at(stops, step / latest) for step in parted.ravel()]
    width = parted.shape[1]
    cut = max(4, 90 // width)
    return go.Scatter(
        name="tokens",
        x=columns.ravel(),
        y=rows.ravel(),
        mode="text",
        text=np.concatenate([token_labels(run, _final(run)[:width], cut) for run in each]),
        textfont={"family": look.mono, "size": 12, "color": [text_on(colour) for colour in behind]},
        hoverinfo="skip",
        showlegend=False,
    )
