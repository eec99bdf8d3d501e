"""Steps x positions of two runs of one canvas: where they differ, and in what."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.analysis.comparison import Differences, pair_of
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.frame import framed, message_figure, whole_ticks, word_ticks
from dgemma_viz.figures.hover import outcome_texts, passages, token_labels
from dgemma_viz.figures.markers import crosshair
from dgemma_viz.figures.marks import A, B
from dgemma_viz.figures.place import whole_number
from dgemma_viz.figures.quantities import COLORBAR_TOP, QUANTITIES, colorbar
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS

Array = npt.NDArray[Any]

NAME = "difference_map"
_TITLE = "Where the runs differ"
_CATEGORIES = {
    "none": "nothing differs",
    "read": "another token was read",
    "kept": "kept in one run only",
    "draft": "another draft",
}
"""From the least to the most; where several hold, the last is shown."""
_SCALE = "purple"
"""Has as many stops as there are categories, ordered by lightness."""
_GAP_UP_TO = 1200
"""Most cells with a gap between them."""


def difference_map(
    trace_a: Trace,
    trace_b: Trace,
    canvas: int = 0,
    sample: int = 0,
    step: int | None = None,
    position: int | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Map of the differences: x position, y denoising step downward, with a crosshair on the selection.

    Parameters
    ----------
    trace_a, trace_b
        Traces of one vocabulary.
    canvas, sample
        Which run of both, counted from 0.
    step, position
        Selected row and column, or None.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one heatmap, 0 (nothing differs) to 3 (another draft), over the longer run's steps: a run that has stopped
        keeps its last draft. Another step or position changes ``layout.shapes`` only. A click gives x = position,
        y = step. A plain message where there is nothing to compare.

    Raises
    ------
    SettingError, TraceError
        Unknown theme, a step or position that is not on the map, or traces that cannot be compared.
    """
    look, pair = theme_named(theme), pair_of(trace_a, trace_b)
    canvas, sample = whole_number("canvas", canvas), whole_number("sample", sample)
    found = pair.differences(canvas, sample)
    run_a, run_b = pair.runs(canvas, sample)
    if run_a is None or run_b is None or not found.common or not found.draft.size:
        return message_figure(NAME, look, _TITLE, f"canvas {canvas} of sample {sample}<br>cannot be compared")
    size = found.draft.shape
    for name, value, most in (("step", step, size[0]), ("position", position, size[1])):
        if value is not None and not 0 <= whole_number(name, value) < most:
            raise SettingError(f"{name} {value} is not on the map: choose from 0 to {most - 1}")
    height = 150 + max(120, min(430, 22 * size[0]))
    same = int((~found.draft[-1]).sum())
    figure = framed(NAME, look, _TITLE, f"last drafts agree at {same} of {size[1]} positions · derived", height)
    figure.add_trace(_map(run_a, run_b, found, look))
    figure.data[0].colorbar = colorbar(QUANTITIES["accepted"], height) | {
        "tickvals": list(range(len(_CATEGORIES))),
        "ticktext": list(_CATEGORIES),
        "len": 0.75,
    }
    axis = {"showgrid": False}
    return figure.update_layout(
        margin={"t": COLORBAR_TOP, "l": 56, "b": 48},
        shapes=crosshair(step, position, size, look),
        xaxis={"title": {"text": "position"}, "range": [-0.5, size[1] - 0.5], **axis, **word_ticks(run_a)},
        yaxis={"title": {"text": "denoising step"}, "range": [size[0] - 0.5, -0.5], **axis, **whole_ticks(size[0])},
        showlegend=False,
    )


def _map(a: CanvasRun, b: CanvasRun, found: Differences, look: Theme) -> go.Heatmap:
    steps, width = found.draft.shape
    values = np.select([found.draft, found.accepted, found.noised], [3, 2, 1], 0)
    few = values.size <= _GAP_UP_TO
    words = np.array(list(_CATEGORIES.values()))[values]
    return go.Heatmap(
        name="differences",
        x=np.arange(width),
        y=np.arange(steps),
        z=values,
        zmin=-0.5,
        zmax=len(_CATEGORIES) - 0.5,
        text=words,
        customdata=np.stack([*_details(a, steps, width), *_details(b, steps, width)], axis=-1),
        colorscale=plotly_scale(look.scale(_SCALE), steps=True),
        xgap=1 if few else 0,
        ygap=1 if few else 0,
        hovertemplate=(
            "<b>%{text}</b> · derived<br>step %{y} · position %{x}<br>"
            f"{A.name}: %{{customdata[0]}} %{{customdata[1]}} %{{customdata[2]}}<br>"
            f"{B.name}: %{{customdata[3]}} %{{customdata[4]}} %{{customdata[5]}}<br>"
            f"drafts and decisions · {ARRAYS['draft'].provenance}<extra></extra>"
        ),
    )


def _details(run: CanvasRun, steps: int, width: int) -> tuple[Array, Array, Array]:
    """Draft, decision and passage of a run that keeps its last draft once it has stopped: ``(steps, width)`` each."""
    rows = np.minimum(np.arange(steps), run.n_steps - 1)
    decisions = outcome_texts(run)[rows, :width]
    decisions[run.n_steps :] = f"(stopped at step {run.n_steps - 1})"
    return (
        token_labels(run, run.array("draft")[rows, :width]),
        decisions,
        np.stack([passages(run, step)[:width] for step in rows.tolist()]),
    )
