"""How many injected errors healed, against the step at which they were put in: one curve a sampler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.figures.frame import framed, message_figure
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label
from dgemma_viz.figures.uncertainty import error_bars, interval_text

if TYPE_CHECKING:
    import pandas as pd

NAME = "healing_curves"
_TITLE = "Do injected errors heal?"
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "star")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_PANEL = 210
"""Pixels of one panel."""
_TOP, _BELOW, _BOTTOM = 86, 46, 92
"""Pixels above the panels, between two, and below."""
_APART = 0.06
"""Steps by which the curves are moved apart, so that intervals do not hide each other."""


def healing_curves(summary: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Fraction of replaced tokens that came right again, by sampler; one panel for each number of errors.

    Parameters
    ----------
    summary
        From :meth:`dgemma_viz.labs.injection.InjectionResult.summary`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: a scatter for each number of errors and sampler, in that order, with Wilson's intervals. A plain message
        where nothing was injected.

    Raises
    ------
    SettingError
        Unknown theme.
    """
    look = theme_named(theme)
    if summary.empty:
        return message_figure(NAME, look, _TITLE, "no error could be injected:<br>see what was skipped, and why")
    counts, samplers = sorted(summary["errors"].unique()), list(dict.fromkeys(summary["sampler"]))
    height = _TOP + len(counts) * _PANEL + (len(counts) - 1) * _BELOW + _BOTTOM
    runs = f"{int(summary['tokens'].sum()):,} tokens replaced in {int(summary['runs'].sum()):,} canvases"
    figure = framed(NAME, look, _TITLE, f"{runs}; whiskers: 95 %", height=height)
    shift = {sampler: _APART * (n - (len(samplers) - 1) / 2) for n, sampler in enumerate(samplers)}
    span = height - _TOP - _BOTTOM
    for row, count in enumerate(counts):
        axis = "" if row == 0 else str(row + 1)
        for n, sampler in enumerate(samplers):
            chosen = summary[(summary["errors"] == count) & (summary["sampler"] == sampler)]
            figure.add_trace(_curve(chosen, n, shift[sampler], axis, look, first=row == 0))
        top = 1 - row * (_PANEL + _BELOW) / span
        bottom = max(0.0, top - _PANEL / span)
        figure.update_layout(
            {
                f"yaxis{axis}": {"domain": [bottom, top], "range": [-0.05, 1.05], "dtick": 0.25, "anchor": f"x{axis}"},
                f"xaxis{axis}": {
                    "anchor": f"y{axis}",
                    "tickvals": sorted(summary["step"].unique()),
                    "matches": "x" if row else None,
                    "showticklabels": True,
                },
            }
        )
        figure.add_annotation(
            text=counted(count, "wrong token"),
            x=0, y=top, xref="paper", yref="paper", xanchor="left", yanchor="bottom", showarrow=False,
            font={"color": look.soft, "size": 12},
        )  # fmt: skip
    axis = "" if len(counts) == 1 else str(len(counts))
    return figure.update_layout(
        {f"xaxis{axis}.title.text": "denoising step that read the wrong tokens"},
        yaxis={"title": {"text": "fraction healed · measured"}},
        margin={"t": _TOP, "b": _BOTTOM, "l": 64},
        legend={"y": 0, "yref": "container", "yanchor": "bottom", "x": 0, "xanchor": "left"},
        showlegend=True,
    )


def _curve(chosen: pd.DataFrame, number: int, shift: float, axis: str, look: Theme, *, first: bool) -> go.Scatter:
    colours = (look.accent, look.second, look.third, look.warning, look.soft)
    colour, name = colours[number % len(colours)], name_label(chosen["sampler"].iloc[0]) if len(chosen) else ""
    healed = chosen["healed"].to_numpy(dtype=float)
    ends = (chosen["healed_low"].to_numpy(dtype=float), chosen["healed_high"].to_numpy(dtype=float))
    columns = (chosen[column].tolist() for column in ("tokens", "runs", "right", "spread", "steps_to_heal"))
    words = [
        f"{tokens} tokens in {runs} canvases, {interval_text(low, high)}<br>answers right: {right:.2f}<br>"
        f"other answer tokens changed: {spread:.2f} a canvas<br>"
        + (f"steps to heal: {steps:.1f}" if np.isfinite(steps) else "none healed")
        for tokens, runs, right, spread, steps, low, high in zip(*columns, *ends, strict=True)
    ]
    return go.Scatter(
        name=name,
        x=chosen["step"].to_numpy(dtype=float) + shift,
        y=healed,
        xaxis=f"x{axis}",
        yaxis=f"y{axis}",
        mode="lines+markers",
        line={"color": colour, "width": 2, "dash": _DASHES[number % len(_DASHES)]},
        marker={"color": colour, "size": 9, "symbol": _SYMBOLS[number % len(_SYMBOLS)]},
        error_y=error_bars(healed, ends, colour),
        customdata=chosen["step"].to_numpy(),
        text=words,
        legendgroup=name,
        showlegend=first,
        hovertemplate=(
            f"<b>{name}</b>, step %{{customdata}}<br>%{{y:.2f}} healed · measured<br>%{{text}}<extra></extra>"
        ),
    )
