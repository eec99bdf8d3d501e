"""Two models on the same canvases, step by step: how far their logits are apart, and what that flips."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.figures.curve_panels import Line, Panel
from dgemma_viz.figures.frame import message_figure
from dgemma_viz.figures.panel_rows import panel_rows
from dgemma_viz.figures.theme import Theme, theme_named

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

NAME = "parity_drift"
_TITLE = "Would the other model have done the same?"
_UNKNOWN = "not known without the recorded model"
_UNDRAWN = "not known without the recorded noise or rule"
_HOW = {
    "max_drift": "max",
    "rms_drift": "mean",
    "smallest_margin": "min",
    "max_kl": "max",
    "kl": "mean",
    "draft_flips": "sum",
    "accepted_flips": "sum",
    "candidate_flips": "sum",
    "stop_flips": "sum",
}
"""What stands for a step of several samples."""
_MAY_LACK = ("candidate_flips", "stop_flips")


def parity_drift(table: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Drift of the logits beside the smallest margin, divergence, and flips, by step.

    Parameters
    ----------
    table
        :attr:`dgemma_viz.analysis.parity.Parity.table`. Samples of a step are taken together: the largest drift, the
        smallest margin, the sum of the flips.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Three panels over one axis of all steps, the canvases laid end to end: drift and margin in logits, divergence in
        nats, flips in positions. A plain message where no step was compared.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if table.empty:
        return message_figure(NAME, look, _TITLE, "no step was compared")
    place = [table["canvas"], table["step"]]
    steps = table.groupby(place, sort=True).agg(_HOW)
    values = {name: steps[name].to_numpy(dtype=float) for name in _HOW}
    for name in _MAY_LACK:
        known = table[name].notna().groupby(place, sort=True).any().to_numpy()
        values[name] = np.where(known, values[name], np.nan)
    panels = (
        Panel(
            "how far apart",
            "logits, before temperature",
            (
                Line("largest drift", values["max_drift"], "measured", "accent", "circle", gap=_UNKNOWN),
                Line("drift (rms)", values["rms_drift"], "measured", "third", "diamond", "dot", gap=_UNKNOWN),
                Line("A's smallest margin", values["smallest_margin"], "measured", "second", None, "dash"),
            ),
            logarithmic=True,
        ),
        Panel(
            "divergence",
            "nats, at the sampler's temperature",
            (
                Line("largest", values["max_kl"], "measured", "accent", "circle"),
                Line("mean", values["kl"], "measured", "third", "diamond", "dot"),
            ),
            logarithmic=True,
        ),
        Panel(
            "flips",
            "positions",
            (
                Line("drafts", values["draft_flips"], "derived", "accent", "circle"),
                Line("accepted", values["accepted_flips"], "derived", "second", "diamond", "dash"),
                Line("candidates", values["candidate_flips"], "derived", "third", None, "dot", gap=_UNDRAWN),
                Line("stops", values["stop_flips"], "derived", "warning", None, gap=_UNDRAWN),
            ),
            highest=1.0,
        ),
    )
    positions, flips = int(table["positions"].sum()), int(table["draft_flips"].sum())
    canvases = table["canvas"].nunique()
    told = (
        f"{len(steps)} step{'' if len(steps) == 1 else 's'} of {canvases} canvas{'' if canvases == 1 else 'es'}; "
        f"{flips:,} of {positions:,} drafts flip"
    )
    return panel_rows(NAME, look, (_TITLE, told), panels, len(steps))
