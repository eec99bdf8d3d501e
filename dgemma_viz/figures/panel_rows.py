"""Panels of curves, one under the other, over one shared step axis: lines, gaps, thresholds, titles and axes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.figures.curve_panels import Line, Panel, Threshold
from dgemma_viz.figures.frame import framed, whole_ticks
from dgemma_viz.figures.theme import Theme

if TYPE_CHECKING:
    import plotly.graph_objects as go

_GLYPHS = {"circle": "●", "diamond": "◆", None: "—"}
_BELOW = "triangle-down-open"
_TOP, _PANEL, _SPACE, _BOTTOM, _LEFT = 64, 66, 34, 48, 52
"""Pixels: above the panels, of each panel, above each panel for its title, below, and to the left."""
_SUBTITLE_LINE = 15
"""Pixels of each further line of a subtitle."""
_FLOOR = 1e-6
"""Smallest value on a logarithmic axis; what is smaller is drawn there with another symbol."""
_HEADROOM = 1.18
_ONE_TWO_FIVE = (0, math.log10(2), math.log10(5))
_FEWEST_TICKS, _MOST_TICKS = 2, 3
"""An axis with fewer numbers says nothing of its scale."""


def height_of(panels: int) -> int:
    """Pixels of a figure of so many panels, under a subtitle of one line."""
    return _TOP + panels * (_PANEL + _SPACE) + _BOTTOM


def panel_rows(
    name: str, look: Theme, heading: tuple[str, str], panels: Sequence[Panel], n_steps: int, *, keys: bool = True
) -> go.Figure:
    """Panels top to bottom.

    Parameters
    ----------
    name, look
        As :func:`~dgemma_viz.figures.frame.framed` takes them.
    heading
        Title and subtitle, already escaped.
    panels
        What to draw.
    n_steps
        Steps on the shared axis, from 0; a line may have fewer values.
    keys
        Whether the title of a panel of several lines tells them apart; if not, the heading must.

    Returns
    -------
    go.Figure
        Data: one scatter per line, named after it, then one for the gaps of each line that has not-a-number values,
        then one per threshold. A click gives x = step.
    """
    top = _TOP + _SUBTITLE_LINE * heading[1].count("<br>")
    height = height_of(len(panels)) + top - _TOP
    rows = list(enumerate(panels, start=1))
    lines = [(line, panel, row) for row, panel in rows for line in panel.lines]
    levels = [(level, panel, row) for row, panel in rows for level in panel.thresholds]
    data = [_curve(line, panel, row, look) for line, panel, row in lines]
    data += [_gaps(line, panel, row, look) for line, panel, row in lines if line.has_gaps]
    data += [_level(level, row, n_steps, look) for level, _, row in levels]
    labels = [_level_label(level, panel, row, look) for level, panel, row in levels]
    layout = {
        "annotations": [*labels, *(_panel_title(panel, row, look, keys=keys) for row, panel in rows)],
        "margin": {"t": top, "b": _BOTTOM, "l": _LEFT},
        "xaxis": {
            "title": {"text": "denoising step"},
            "unifiedhovertitle": {"text": "step %{x}"},
            "range": [-0.5, n_steps - 0.5],
            "anchor": f"y{len(panels)}",
            **whole_ticks(n_steps),
        },
        "hovermode": "x unified",
        "hoversubplots": "axis",
        "hoverdistance": -1,  # the nearest step, however far apart few steps of a wide chart are; a click needs it
        "showlegend": False,
        **{f"yaxis{row}": _y_axis(panel, row, len(panels)) for row, panel in rows},
    }
    return framed(name, look, *heading, height, data, layout)


def _curve(line: Line, panel: Panel, row: int, look: Theme) -> dict[str, Any]:
    colour = getattr(look, line.colour)
    below = panel.logarithmic & (line.values < _FLOOR)
    unit = f" {panel.unit.split(',')[0]}" if panel.unit.startswith("nats") else ""
    return {
        "type": "scatter",
        "name": line.name,
        "x": np.arange(len(line.values)),
        "y": np.where(below, _FLOOR, line.values),
        "customdata": line.values,
        "xaxis": "x",
        "yaxis": _axis(row),
        "mode": "lines+markers" if line.symbol else "lines",
        "line": {"color": colour, "width": 1.75 if line.symbol else 1.25, "dash": line.dash},
        "marker": {"color": colour, "size": 5, "symbol": np.where(below, _BELOW, line.symbol or "circle")},
        "hovertemplate": f"{line.name}: %{{customdata:.4~g}}{unit} · {line.provenance}<extra></extra>",
    }


def _gaps(line: Line, panel: Panel, row: int, look: Theme) -> dict[str, Any]:
    """Crosses at the foot of the panel where the line has no value, so that the hover can say so."""
    steps = np.flatnonzero(np.isnan(line.values))
    lowest = _y_range(panel)[0]
    return {
        "type": "scatter",
        "name": f"{line.name}: {line.gap}",
        "x": steps,
        "y": np.full(len(steps), 10**lowest if panel.logarithmic else lowest),
        "xaxis": "x",
        "yaxis": _axis(row),
        "mode": "markers",
        "marker": {"symbol": "x-thin-open", "size": 7, "color": look.warning, "line": {"width": 1.5}},
        "cliponaxis": False,
        "hovertemplate": f"{line.name}: {line.gap} · {line.provenance}<extra></extra>",
    }


def _level(threshold: Threshold, row: int, n_steps: int, look: Theme) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": threshold.label,
        "x": [-0.5, n_steps - 0.5],
        "y": [threshold.value, threshold.value],
        "xaxis": "x",
        "yaxis": _axis(row),
        "mode": "lines",
        "line": {"color": look.second, "width": 1.25, "dash": "dash"},
        "hoverinfo": "skip",
    }


def _level_label(threshold: Threshold, panel: Panel, row: int, look: Theme) -> dict[str, Any]:
    y = math.log10(max(threshold.value, _FLOOR)) if panel.logarithmic else threshold.value
    place = {"x": 0, "xref": "x domain", "xanchor": "left", "y": y, "yref": _axis(row), "yanchor": "bottom"}
    return {"text": threshold.label, **place, "font": {"size": 10, "color": look.second}, "borderpad": 0}


def _panel_title(panel: Panel, row: int, look: Theme, *, keys: bool) -> dict[str, Any]:
    words = [f"<b>{panel.title}</b>"]
    if panel.unit:
        words.append(_soft(f"({panel.unit})", look))
    if keys and len(panel.lines) > 1:
        words += [_key(line, look) for line in panel.lines]
    # Each source once, in the order of the lines, from the left edge: a title must fit into the width of a phone.
    sources = dict.fromkeys(line.provenance for line in panel.lines)
    words.append(_soft(f"· {', '.join(sources)}", look))
    place = {"x": 0, "xref": "x domain", "xanchor": "left", "xshift": 8 - _LEFT}
    place |= {"y": 1, "yref": f"{_axis(row)} domain", "yanchor": "bottom", "yshift": 3}
    return {
        "text": " ".join(words),
        **place,
        "font": {"size": 12, "color": look.ink},
        "bgcolor": look.paper,
        "borderpad": 0,
    }


def _key(line: Line, look: Theme) -> str:
    return f"<span style='color:{getattr(look, line.colour)}'>{_GLYPHS[line.symbol]}</span> {line.name}"


def _soft(words: str, look: Theme) -> str:
    return f"<span style='color:{look.soft}'>{words}</span>"


def _axis(row: int) -> str:
    return "y" if row == 1 else f"y{row}"


def _y_axis(panel: Panel, row: int, rows: int) -> dict[str, Any]:
    share = 1 / rows
    bottom = 1 - row * share
    domain = [bottom, bottom + share * _PANEL / (_PANEL + _SPACE)]
    low, high = _y_range(panel)
    axis = {"domain": domain, "anchor": "x", "range": [low, high], "nticks": 4}
    if panel.logarithmic:
        axis |= {"type": "log", "tickformat": "~g"}
        if math.floor(high) - math.ceil(low) + 1 < _FEWEST_TICKS:  # decades in sight
            finer = [power + part for power in range(math.floor(low), math.ceil(high)) for part in _ONE_TWO_FIVE]
            within = [10**decade for decade in finer if low <= decade <= high]
            axis |= {"tickmode": "array", "tickvals": within[:: math.ceil(len(within) / _MOST_TICKS)]}
        else:
            axis |= {"dtick": max(1, round((high - low) / 3))}
    return axis


def _y_range(panel: Panel) -> tuple[float, float]:
    """Ends of the y axis, in decades if it is logarithmic."""
    values = np.concatenate([*(line.values for line in panel.lines), [t.value for t in panel.thresholds]])
    values = values[np.isfinite(values)]
    if panel.logarithmic:
        decades = np.log10(np.clip(values, _FLOOR, None)) if len(values) else np.zeros(1)
        return float(decades.min()) - 0.35, float(decades.max()) + 0.35
    highest = max(float(values.max(initial=0.0)), panel.highest or 0.0) or 1.0
    return -0.06 * highest, _HEADROOM * highest
