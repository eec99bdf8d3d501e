"""The frame that accuracies share: a panel of points from 0 to 1, and a panel of counts below it on the same x axis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import plotly.graph_objects as go

HEIGHT = 430
_TOP, _BOTTOM = 66, 84
_COUNTS_UP_TO, _ACCURACY_FROM = 0.2, 0.28


def accuracy_panels(
    figure: go.Figure, titles: tuple[str, str, str], xaxis: dict[str, Any], *, most: int, note: bool = False
) -> go.Figure:
    """Lay out a figure whose points are on ``y`` and whose counts are on ``y2`` (logarithmic).

    Parameters
    ----------
    figure
        With its data; changed in place.
    titles
        Words at the axes x, y and y2.
    xaxis
        More of the x axis: range, ticks.
    most
        Largest count.
    note
        Whether the subtitle has a second line.
    """
    return figure.update_layout(
        margin={"t": _TOP + 18 * note, "b": _BOTTOM, "l": 60},
        xaxis={"title": {"text": titles[0]}, "anchor": "y2", **xaxis},
        yaxis={
            "title": {"text": titles[1]},
            "domain": [_ACCURACY_FROM, 1],
            "range": [-0.04, 1.04],
            "dtick": 0.2,
            "anchor": "x",
        },
        yaxis2={
            "title": {"text": titles[2]},
            "domain": [0, _COUNTS_UP_TO],
            "type": "log",
            "dtick": 1,
            "range": [-0.3, math.log10(most) + 0.15],
            "tickformat": "~s",
            "anchor": "x",
        },
        bargap=0,
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )
