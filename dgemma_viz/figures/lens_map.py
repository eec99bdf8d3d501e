"""Depths x positions: what the head would say if the model stopped there, and from where its draft stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.inside import part_of
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.frame import framed, whole_ticks
from dgemma_viz.figures.hover import token_labels, value_lines
from dgemma_viz.figures.inside_canvas import (
    origin_words,
    position_ticks,
    resolve_place,
    resolve_positions,
    where_taken,
)
from dgemma_viz.figures.markers import crosshair
from dgemma_viz.figures.quantities import COLORBAR_TOP, QUANTITIES, colorbar
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.inside import Inside, Lens

if TYPE_CHECKING:
    import plotly.graph_objects as go

Array = npt.NDArray[Any]

NAME = "lens_map"
_TITLE = "What each layer already says"
_CHOICES = ("confidence", "entropy")
_WORDS_UP_TO, _IN_A_CELL = 32, 3
"""Most positions whose cells hold their token, and its characters there."""


def lens_map(
    inside: Inside,
    quantity: str = "confidence",
    position: int | None = None,
    positions: range | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Map of the lens: x position, y depth downward, the best token of each depth in its cell.

    Parameters
    ----------
    inside
        With its ``lens``.
    quantity
        What colour stands for: ``"confidence"``, the probability of the best token, or ``"entropy"``.
    position
        Selected column, or None.
    positions
        Neighbours to show, such as ``range(0, 20)``; None: all.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: ``[heatmap "values", scatter "the draft stands from here"]``; a click on the map gives x = position,
        y = row of ``lens.depth``. Another position changes ``layout.shapes`` only.

    Raises
    ------
    SettingError
        The inside holds no lens; unknown quantity or theme; positions that are not there.
    """
    look, lens = theme_named(theme), part_of(inside, "lens")
    if quantity not in _CHOICES:
        raise SettingError(f"a lens has no quantity {quantity!r}; choose from {', '.join(_CHOICES)}")
    shown, place = resolve_positions(inside, positions), resolve_place(inside, position)
    height = 190 + max(120, 26 * len(lens.depth))
    size = (len(lens.depth), inside.n_positions)
    layout = {
        "margin": {"t": COLORBAR_TOP, "l": 56, "b": 76},
        "xaxis": {
            "title": {"text": "position, and what the pass read there"},
            "range": [shown.start - 0.5, shown.stop - 0.5],
            "showgrid": False,
            **position_ticks(inside, shown, inside.noised),
        },
        "yaxis": {
            "title": {"text": "layers passed"},
            "range": [size[0] - 0.5, -0.5],
            "showgrid": False,
            **_depth_ticks(lens),
        },
        "legend": {"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        "showlegend": True,
        "shapes": crosshair(None, place, size, look),
    }
    data = [_map(inside, lens, quantity, shown, look, height), _stands(lens, shown, look)]
    subtitle = f"{where_taken(inside)} · colour: {QUANTITIES[quantity].heading}"
    return framed(NAME, look, _TITLE, subtitle, height, data, layout)


def _map(inside: Inside, lens: Lens, quantity: str, shown: range, look: Theme, height: int) -> dict[str, Any]:
    of, columns = QUANTITIES[quantity], slice(shown.start, shown.stop)
    values = (lens.entropy if quantity == "entropy" else lens.probability[:, :, 0])[:, columns].astype(np.float32)
    low, high = of.value_range(values)
    draft = lens.draft[:, columns]
    read = np.broadcast_to(token_labels(inside, inside.noised[columns]), draft.shape)
    found = np.broadcast_to(origin_words(inside)[columns], draft.shape)
    apart = np.char.mod("%.3g nats", lens.divergence[:, columns].astype(np.float32))
    depths = np.broadcast_to(lens.depth[:, None].astype(str), draft.shape)
    details = [depths, token_labels(inside, draft), value_lines(of, values), apart, found, read]
    in_cells = {"texttemplate": "%{text}"} if len(shown) <= _WORDS_UP_TO else {}
    return {
        "type": "heatmap",
        "name": "values",
        "x": list(shown),
        "y": np.arange(len(lens.depth)),
        "z": values,
        "zmin": low,
        "zmax": high,
        "text": token_labels(inside, draft, _IN_A_CELL),
        **in_cells,
        "customdata": np.stack([detail.astype(object) for detail in details], axis=-1),
        "colorscale": plotly_scale(look.scale(of.scale)),
        "colorbar": colorbar(of, height),
        "xgap": 1,
        "ygap": 1,
        "hovertemplate": (
            "<b>%{customdata[1]}</b><br>after %{customdata[0]} layers · position %{x}<br>%{customdata[2]}"
            "KL from the last depth: %{customdata[3]} · measured<br>"
            "the pass read %{customdata[5]}: %{customdata[4]} · measured<extra></extra>"
        ),
    }


def _stands(lens: Lens, shown: range, look: Theme) -> dict[str, Any]:
    """A bar above the first cell of each column from which on its best token stays."""
    rows = np.searchsorted(lens.depth, lens.stands_from[shown.start : shown.stop])
    x = [[place - 0.5, place + 0.5, None] for place in shown]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": "the draft stands from here · derived",
        "x": [end for pair in x for end in pair],
        "y": [end for row in rows.tolist() for end in (row - 0.5, row - 0.5, None)],
        "line": {"color": look.ink, "width": 3},
        "hoverinfo": "skip",
    }


def _depth_ticks(lens: Lens) -> dict[str, Any]:
    every = whole_ticks(len(lens.depth))["dtick"]
    rows = list(range(0, len(lens.depth), every))
    return {"tickmode": "array", "tickvals": rows, "ticktext": [str(lens.depth[row]) for row in rows]}
