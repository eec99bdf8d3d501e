"""What each way of decoding cost: forwards, tokens per forward, both kinds of waste, time, and answers right."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.frame import framed
from dgemma_viz.figures.marks import way_colour
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.figures.token_text import name_label

if TYPE_CHECKING:
    import pandas as pd

NAME = "race_bars"
_PANELS = (
    ("forwards", "forwards", "{:.0f}", 1.0),
    ("tokens_per_forward", "tokens per forward", "{:.2g}", 1.0),
    ("refined_share", "computed again within the answer", "{:.0f} %", 100.0),
    ("outside_share", "computed outside the answer", "{:.0f} %", 100.0),
    ("seconds", "ms, this machine", "{:.0f}", 1e3),
    ("right", "answers right", "{:.0f} %", 100.0),
)
"""Column of the table, title, format, factor."""


def race_bars(summary: pd.DataFrame, theme: str | Theme = "light") -> go.Figure:
    """Small multiples, one panel for each quantity, one bar for each way.

    Parameters
    ----------
    summary
        Of :meth:`dgemma_viz.labs.decoding.Race.summary`.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one bar trace for each panel. All quantities are measured.

    Raises
    ------
    SettingError
        Unknown theme, or this is no such table.
    """
    look = theme_named(theme)
    missing = [column for column, *_ in _PANELS if column not in summary.columns]
    if missing or summary.empty:
        raise SettingError(f"give Race.summary(); this table has no {missing[0] if missing else 'rows'}")
    ways = [name_label(way) for way in summary.index]
    row = 26 * len(ways) + 46
    plain = framed(
        NAME, look, "What did each way cost?", "all prompts together · measured", height=90 + row * len(_PANELS)
    )
    figure = make_subplots(
        rows=len(_PANELS), cols=1, subplot_titles=[title for _, title, _, _ in _PANELS], vertical_spacing=0.05
    )
    figure.update_layout(plain.layout)
    for number, (column, title, form, factor) in enumerate(_PANELS, start=1):
        values = summary[column].to_numpy(dtype=float) * factor
        figure.add_trace(
            go.Bar(
                x=np.nan_to_num(values),
                y=ways,
                orientation="h",
                marker_color=[way_colour(look, place) for place in range(len(ways))],
                text=[form.format(value) if np.isfinite(value) else "unknown" for value in values],
                textposition="auto",
                cliponaxis=False,
                hovertemplate=f"<b>%{{y}}</b><br>{title}: %{{text}} · measured<extra></extra>",
            ),
            row=number,
            col=1,
        )
    figure.update_xaxes(visible=False, rangemode="tozero")
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_annotations(x=0, xanchor="left", font_size=13)
    return figure.update_layout(showlegend=False, bargap=0.25, margin={"t": 92})
