"""How figures show uncertainty: error bars for single points, bands along curves, counts as bars below them.

Counts stand under the points they belong to, because an interval without a count invites the wrong question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.intervals import Interval, wider
from dgemma_viz.figures.theme import Theme

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]
_BAND_OPACITY = 0.16


def accuracy_interval(table: pd.DataFrame) -> Interval:
    """The interval to draw beside the accuracies of a table.

    Of Wilson's, which takes items as independent, and the bootstrap over runs, which cannot see what no run shows: at
    each end the one that reaches further.
    """
    wilson = (table["low"].to_numpy(dtype=float), table["high"].to_numpy(dtype=float))
    return wider(wilson, (table["runs_low"].to_numpy(dtype=float), table["runs_high"].to_numpy(dtype=float)))


def error_bars(values: Array, interval: Interval, colour: str) -> dict[str, Any]:
    """Plotly error bars from values to the ends of their interval."""
    low, high = interval
    ends = {"array": np.maximum(high - values, 0), "arrayminus": np.maximum(values - low, 0)}
    return {"type": "data", "symmetric": False, **ends, "color": colour, "thickness": 1.25, "width": 3}


def band(
    name: str, x: Array, interval: Interval, colour: str, yaxis: str = "y", *, of: str = "95 % interval"
) -> go.Scatter:
    """A filled band between the two ends along a curve, which ``of`` names; steps without an interval are left out."""
    low, high = interval
    known = np.isfinite(low) & np.isfinite(high)
    return go.Scatter(
        name=f"{name}: {of}",
        x=np.concatenate([x[known], x[known][::-1]]),
        y=np.concatenate([high[known], low[known][::-1]]),
        xaxis="x",
        yaxis=yaxis,
        mode="lines",
        line={"width": 0},
        fill="toself",
        fillcolor=translucent(colour, _BAND_OPACITY),
        hoverinfo="skip",
        showlegend=False,
    )


def translucent(colour: str, opacity: float) -> str:
    """``#rrggbb`` with an opacity, as Plotly's fills want it."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def count_bars(name: str, x: Array, counts: Array, width: Array | float, look: Theme) -> go.Bar:
    """Counts as bars on the axis ``y2``; bins without any have none."""
    return go.Bar(
        name=name,
        x=x,
        y=np.where(counts > 0, counts, np.nan),
        width=width,
        yaxis="y2",
        marker={"color": look.faint, "line": {"width": 1, "color": look.paper}},
        hovertemplate=f"%{{y}} {name} · derived<extra></extra>",
        showlegend=False,
    )


def interval_text(low: float, high: float) -> str:
    """An interval in words, for hovers."""
    return f"{low:.3f} to {high:.3f}" if np.isfinite(low) and np.isfinite(high) else "unknown"


def accuracy_hovers(table: pd.DataFrame) -> list[str]:
    """Counts and both intervals of each row, as hover lines."""
    columns = (table[name].tolist() for name in ("right", "count", "runs", "low", "high", "runs_low", "runs_high"))
    return [
        f"{right} of {count} right, from {counted(runs, 'run')} · derived<br>"
        f"95 %, if independent: {interval_text(low, high)} · derived<br>"
        f"95 %, over runs: {interval_text(runs_low, runs_high)} · derived"
        for right, count, runs, low, high, runs_low, runs_high in zip(*columns, strict=True)
    ]


def not_judged_note(table: pd.DataFrame) -> str:
    """A second line for a subtitle, where wrong answers are missing from the table; else empty."""
    missing = int(table.attrs.get("not_judged", 0))
    return f"<br>{counted(missing, 'wrong answer')} left out: the checker does not say where" if missing else ""
