"""Reliability diagram: does confidence tell what is right? Bins of drafts against the diagonal, with their counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.analysis.intervals import Array
from dgemma_viz.analysis.reliability import calibration_error
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import ACCURACY_HEIGHT, accuracy_panels, framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.uncertainty import (
    accuracy_hovers,
    accuracy_interval,
    count_bars,
    error_bars,
    not_judged_note,
)

if TYPE_CHECKING:
    import pandas as pd

Scale = Literal["linear", "log_odds"]
NAME = "reliability_diagram"
_TITLE = "Does confidence tell what is right?"
_MOST_SURE = 1 - 1e-7
"""Float32 tells confidences apart up to here."""
_TICKS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999)


def reliability_diagram(table: pd.DataFrame, scale: Scale = "linear", theme: str | Theme = "light") -> go.Figure:
    """Accuracy of drafts against their confidence, bin by bin; below the line means overconfident.

    Parameters
    ----------
    table
        From :func:`~dgemma_viz.analysis.reliability.reliability_table`.
    scale
        ``"linear"``, or ``"log_odds"``, which spreads what is close to certain: the choice for bins of equal mass.
        Confidences above 1 - 1e-7 are drawn there.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: ``[scatter "perfectly calibrated", bar "drafts", scatter "bins"]``; error bars are those of
        :func:`~dgemma_viz.figures.uncertainty.accuracy_interval`. A plain message where nothing was judged.

    Raises
    ------
    SettingError
        Unknown scale or theme.
    """
    look = theme_named(theme)
    if scale not in ("linear", "log_odds"):
        raise SettingError(f"unknown scale {scale!r}; choose 'linear' or 'log_odds'")
    filled = table[table["count"] > 0]
    if filled.empty:
        return message_figure(NAME, look, _TITLE, "no draft could be judged:<br>give a reference with the right answer")
    note = not_judged_note(table)
    summary = f"ECE {calibration_error(table):.3f} over {filled['count'].sum():,} drafts; whiskers: 95 %"
    figure = framed(NAME, look, _TITLE, summary + note, height=ACCURACY_HEIGHT)
    confidence, accuracy = filled["mean_confidence"].to_numpy(), filled["accuracy"].to_numpy()
    low, high = filled["from_confidence"].to_numpy(), filled["to_confidence"].to_numpy()
    start, end = _place(low, scale), _place(high, scale)
    ideal = np.linspace(0, 1, 2) if scale == "linear" else _confidences(np.linspace(-14, 14, 141))
    figure.add_trace(
        go.Scatter(
            name="perfectly calibrated",
            x=_place(ideal, scale),
            y=ideal,
            mode="lines",
            line={"color": look.soft, "width": 1.25, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    wide = np.maximum(end - start, 0.02 * (end[-1] - start[0] or 1.0))
    figure.add_trace(count_bars("drafts", (start + end) / 2, filled["count"].to_numpy(), wide, look))
    figure.add_trace(
        go.Scatter(
            name="bins",
            x=_place(confidence, scale),
            y=accuracy,
            customdata=np.stack([confidence, low, high], axis=-1),
            text=accuracy_hovers(filled),
            error_y=error_bars(accuracy, accuracy_interval(filled), look.accent),
            mode="markers",
            marker={"color": look.accent, "size": 9, "symbol": "circle"},
            hovertemplate=(
                "<b>%{y:.3f} right</b> at confidence %{customdata[0]:.6~f}<br>"
                "bin %{customdata[1]:.6~f} to %{customdata[2]:.6~f}<br>%{text}<extra></extra>"
            ),
        )
    )
    titles = ("confidence of the draft · measured", "fraction right · derived", "drafts")
    most = int(filled["count"].max())
    return accuracy_panels(figure, titles, _x_axis(scale, start), most=most, note=bool(note))


def _place(confidence: Array, scale: Scale) -> Array:
    """Confidence on the x axis: itself, or its log odds in base 10."""
    if scale == "linear":
        return confidence
    clipped = np.clip(confidence, 1 - _MOST_SURE, _MOST_SURE)
    odds: Array = clipped / (1 - clipped)
    return np.log10(odds)


def _confidences(log_odds: Array) -> Array:
    return 1 / (1 + 10.0**-log_odds)


def _x_axis(scale: Scale, start: Array) -> dict[str, Any]:
    if scale == "linear":
        return {"range": [-0.02, 1.02], "dtick": 0.2}
    ticks = np.array(_TICKS)
    words = [f"{tick:g}" for tick in _TICKS]
    last = float(_place(np.array([_MOST_SURE]), scale)[0])
    return {"range": [min(start.min(), 0) - 0.2, last + 0.2], "tickvals": _place(ticks, scale), "ticktext": words}
