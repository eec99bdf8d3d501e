"""The roofline of a device: what bandwidth and compute allow, and where one pass of each way of decoding lies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.passes import Pass
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label

NAME = "roofline"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star")
_GIGA, _TERA = 1e9, 1e12


def roofline(
    hardware: Hardware, weights: WeightFormat, passes: Mapping[str, Pass], theme: str | Theme = "light"
) -> go.Figure:
    """Attainable rate against arithmetic intensity, both logarithmic (Williams et al. 2009, 10.1145/1498765.1498785).

    Left of the ridge a pass waits for memory, right of it for the compute units. Peaks as published; no efficiency
    factor and no fixed overhead, which :func:`dgemma_viz.costs.step_time` adds.

    Parameters
    ----------
    hardware, weights
        The device, and the format that decides which of its peaks applies.
    passes
        Label to pass, such as ``{"one token": decode_pass(...), "one canvas": canvas_pass(...)}``.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: the line ``"roof"``, then a scatter of one point for each pass.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    peak, bandwidth = hardware.peak(weights), hardware.bandwidth
    ridge = peak * _TERA / (bandwidth * _GIGA)
    intensities = {label: one.flops / one.bytes for label, one in passes.items()}
    ends = [ridge / 100, ridge * 10, *(x / 2 for x in intensities.values()), *(x * 2 for x in intensities.values())]
    x = np.array(sorted([min(ends), ridge, max(ends)]))
    about = " · some rates derived from ratios" if hardware.derived else ""
    figure = framed(
        NAME,
        look,
        f"What limits one pass on {name_label(hardware.name)}",
        f"{bandwidth:g} GB/s, {peak:g} TFLOP/s for {name_label(weights.name)} · published{about}",
        height=420,
    )
    figure.add_trace(
        go.Scatter(
            name="roof",
            x=x,
            y=np.minimum(peak, x * bandwidth * _GIGA / _TERA),
            mode="lines",
            line={"color": look.soft, "width": 2},
            hovertemplate="%{x:.3g} FLOPs a byte<br>at most %{y:.3g} TFLOP/s · published<extra></extra>",
        )
    )
    colours = (look.accent, look.second, look.third, look.warning, look.ink)
    for number, (label, one) in enumerate(passes.items()):
        at = intensities[label]
        figure.add_trace(
            go.Scatter(
                name=name_label(label),
                x=[at],
                y=[min(peak, at * bandwidth * _GIGA / _TERA)],
                mode="markers",
                marker={
                    "symbol": _SYMBOLS[number % len(_SYMBOLS)],
                    "size": 12,
                    "color": colours[number % len(colours)],
                    "line": {"width": 1.5, "color": look.paper},
                },
                hovertemplate=f"<b>{name_label(label)}</b>: {one.tokens:,} tokens<br>{one.bytes / _GIGA:.3g} GB, "
                f"{one.flops / _TERA:.3g} TFLOP<br>%{{x:.3g}} FLOPs a byte · modelled<br>waits for "
                f"{'memory' if at < ridge else 'the compute units'}<extra></extra>",
            )
        )
    return figure.update_layout(
        xaxis={"type": "log", "title": {"text": "FLOPs a byte · modelled"}, "dtick": 1, "exponentformat": "power"},
        yaxis={"type": "log", "title": {"text": "TFLOP/s at most"}, "dtick": 1, "exponentformat": "power"},
        margin={"t": 66, "b": 96, "l": 64},
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )
