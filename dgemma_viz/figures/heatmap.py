"""Steps x positions: the whole denoising of one canvas at a glance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.analysis.positions import re_noised_again
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.curve_panels import panels
from dgemma_viz.figures.frame import framed, message_figure, no_steps, whole_ticks, word_ticks
from dgemma_viz.figures.hover import outcome_texts, passages, token_labels, value_lines, value_template
from dgemma_viz.figures.markers import crosshair
from dgemma_viz.figures.marks import TAKEN_BACK
from dgemma_viz.figures.panel_rows import height_of
from dgemma_viz.figures.place import resolve_position, resolve_run, resolve_step
from dgemma_viz.figures.quantities import COLORBAR_TOP, Quantity, colorbar, quantity_of
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAME = "heatmap"
_TITLE = "Every step, every position"
_STRIP_UP_TO = 12
"""Most steps of a map with rows of a fixed height; one of more steps is as tall as the curves beside it."""
_GAP_UP_TO = 1200
"""Most cells with a gap between them."""


@dataclass(frozen=True)
class Colouring:
    """What a quantity is in the figure of :func:`heatmap`, but for values, texts and hovers of the cells.

    Attributes
    ----------
    data
        Properties of the two traces.
    subtitle
        Of the figure.
    """

    data: tuple[dict[str, Any], dict[str, Any]]
    subtitle: str


def heatmap(
    trace: Trace,
    canvas: int = 0,
    sample: int = 0,
    quantity: str = "confidence",
    step: int | None = None,
    position: int | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Map of one quantity: x position, y denoising step downward, with a crosshair on the selection.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    quantity
        One of :data:`dgemma_viz.figures.quantities.QUANTITIES`.
    step, position
        Selected row and column, or None; negative steps count from the end.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: ``[heatmap "values", scatter "taken back"]``; the second holds × marks for ``accepted`` and
        ``re_noised_again`` and is empty otherwise. Another step or position changes ``layout.shapes`` only
        (:func:`~dgemma_viz.figures.markers.crosshair`). A click gives x = position, y = step.

    Raises
    ------
    SettingError, TraceError
        Unknown quantity or theme; step, position, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    shown = quantity_of(run.trace, quantity)
    if position is not None:
        position = resolve_position(run, position)
    if not run.n_steps:
        return message_figure(NAME, look, _TITLE, no_steps(run))
    if step is not None:
        step = resolve_step(run, step)
    values = shown.values(run)
    cells = _cells(run, shown, values) | {"text": token_labels(run, run.array("draft"))}
    return _drawn(run, shown, values, look, cells, crosshair(step, position, values.shape, look))


def colouring(
    trace: Trace, canvas: int = 0, sample: int = 0, quantity: str = "confidence", theme: str | Theme = "light"
) -> Colouring:
    """Colours and words of a quantity, for a run that has steps; arguments and errors as :func:`heatmap`'s.

    With it, :func:`map_without_cells` turns to another quantity without being drawn up again.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    shown = quantity_of(run.trace, quantity)
    colours = _colours(run, shown, shown.values(run), look)
    return Colouring((colours, _taken_back(run, shown)), _subtitle(shown))


def map_without_cells(run: CanvasRun, quantity: str = "confidence", theme: str | Theme = "light") -> go.Figure:
    """:func:`heatmap` of a run with steps but for what a page fills in: values, texts and hovers of the cells."""
    shown = quantity_of(run.trace, quantity)
    return _drawn(run, shown, shown.values(run), theme_named(theme), {}, [])


def _drawn(
    run: CanvasRun, shown: Quantity, values: Any, look: Theme, cells: dict[str, Any], shapes: list[dict[str, Any]]
) -> go.Figure:
    data = [_map(run, cells | _colours(run, shown, values, look)), _marks(look, _taken_back(run, shown))]
    layout = {
        "margin": {"t": COLORBAR_TOP, "l": 56, "b": 48},
        "xaxis": {
            "title": {"text": "position"},
            "range": [-0.5, run.canvas_length - 0.5],
            "showgrid": False,
            **word_ticks(run),
        },
        "yaxis": {
            "title": {"text": "denoising step"},
            "range": [run.n_steps - 0.5, -0.5],
            "showgrid": False,
            **whole_ticks(run.n_steps),
        },
        "showlegend": False,
        "shapes": shapes,
    }
    return framed(NAME, look, _TITLE, _subtitle(shown), _height(run), data, layout)


def is_strip(run: CanvasRun) -> bool:
    """Whether the map has so few rows that it wants the width of the page: beside the curves it would leave a gap."""
    return run.n_steps <= _STRIP_UP_TO


def _height(run: CanvasRun) -> int:
    return 150 + max(120, 22 * run.n_steps) if is_strip(run) else height_of(len(panels(run)))


def _subtitle(shown: Quantity) -> str:
    return f"colour: {shown.heading}"


def _cells(run: CanvasRun, shown: Quantity, values: Any) -> dict[str, Any]:
    outcomes = outcome_texts(run)
    if not value_template(shown, values):
        outcomes = value_lines(shown, values).astype(object) + outcomes
    return {
        "z": values,
        "customdata": np.stack([[passages(run, step) for step in range(run.n_steps)], outcomes], axis=-1),
    }


def _colours(run: CanvasRun, shown: Quantity, values: Any, look: Theme) -> dict[str, Any]:
    low, high = shown.value_range(values)
    return {
        "zmin": low,
        "zmax": high,
        "colorscale": plotly_scale(look.scale(shown.scale), steps=bool(shown.categories)),
        "colorbar": colorbar(shown, _height(run)),
        "hovertemplate": (
            "<b>%{text}</b><br>%{customdata[0]}<br>step %{y} · position %{x}<br>"
            f"{value_template(shown, values)}%{{customdata[1]}} · {ARRAYS['accepted'].provenance}<extra></extra>"
        ),
    }


def _map(run: CanvasRun, properties: dict[str, Any]) -> dict[str, Any]:
    gap = 1 if run.n_steps * run.canvas_length <= _GAP_UP_TO else 0
    return {
        "type": "heatmap",
        "name": "values",
        "x": np.arange(run.canvas_length),
        "y": np.arange(run.n_steps),
        "xgap": gap,
        "ygap": gap,
        "hoverongaps": True,
        **properties,
    }


def _taken_back(run: CanvasRun, shown: Quantity) -> dict[str, Any]:
    taken_back = re_noised_again(run) if shown.categories and shown.recorded else np.zeros((0, 0))
    rows, columns = np.nonzero(taken_back)
    return {"x": columns, "y": rows}


def _marks(look: Theme, places: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": TAKEN_BACK.label,
        "mode": "markers",
        "marker": {"symbol": TAKEN_BACK.symbol, "size": 6, "color": look.warning, "line": {"width": 1.5}},
        "hoverinfo": "skip",
        **places,
    }
