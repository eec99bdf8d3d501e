"""Light and dark: the colours, fonts and Plotly template that all figures share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import plotly.graph_objects as go

from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import SCALES


@dataclass(frozen=True)
class Theme:
    """Looks of a figure.

    Attributes
    ----------
    name
        ``"light"`` or ``"dark"``.
    paper, raised
        Background of the figure (JupyterLab's own for that page), and of what lies on it without a value.
    ink, soft, line
        Text, secondary text (both AA on paper), and grid lines.
    faint
        What is not the point but must be seen: 3:1 on paper.
    accent, second, third, warning
        Colours of lines and bars after Okabe and Ito, told apart by every common kind of colour vision; ``warning``
        marks what was changed or taken back.
    sans, mono
        Font families for words and for tokens.
    """

    name: str
    paper: str
    raised: str
    ink: str
    soft: str
    line: str
    faint: str
    accent: str
    second: str
    third: str
    warning: str
    sans: str = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', Arial, sans-serif"
    mono: str = "ui-monospace, 'SF Mono', Menlo, Consolas, 'DejaVu Sans Mono', monospace"

    def scale(self, name: str) -> tuple[str, ...]:
        """Stops of a colour scale of :mod:`dgemma_viz.figures.colour_scales` for this page."""
        return SCALES[self.name][name]

    def template(self) -> go.layout.Template:
        """Plotly template: fonts, colours, axes, hovers and legend."""
        return _template(self)


LIGHT = Theme(
    name="light",
    paper="#ffffff",
    raised="#f0f1f2",
    ink="#1c1e21",
    soft="#5b6067",
    line="#e3e5e8",
    faint="#878d95",
    accent="#0072b2",
    second="#b34d00",
    third="#00795a",
    warning="#c2410c",
)
DARK = Theme(
    name="dark",
    paper="#111111",
    raised="#24272b",
    ink="#e8e9eb",
    soft="#a7acb3",
    line="#2f3338",
    faint="#7f858d",
    accent="#56b4e9",
    second="#e69f00",
    third="#2fc79b",
    warning="#ff9d66",
)
THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


def theme_named(theme: str | Theme) -> Theme:
    """Look up a theme by name; a Theme is passed through.

    Raises
    ------
    SettingError
        There is no such theme.
    """
    if isinstance(theme, Theme):
        return theme
    if theme not in THEMES:
        raise SettingError(f"unknown theme {theme!r}; choose from {sorted(THEMES)}")
    return THEMES[theme]


UPLOADS = ["sendChartToCloud"]
"""Buttons of plotly.js that send the figure, and so prompts and outputs, to a server: "Share chart" is on by default
since plotly 7. Removed in the template, so that it holds wherever one of these figures is shown, by us or by others."""


@cache
def _template(theme: Theme) -> go.layout.Template:
    axis = {
        "gridcolor": theme.line,
        "linecolor": theme.line,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": theme.line,
        "tickfont": {"size": 11, "color": theme.soft},
        "title": {"font": {"size": 12, "color": theme.soft}, "standoff": 8},
        "automargin": True,
    }
    layout = {
        "font": {"family": theme.sans, "size": 12, "color": theme.ink},
        "title": {
            "font": {"size": 15, "weight": 600},
            "subtitle": {"font": {"size": 12, "color": theme.soft}},
            "x": 0,
            "xanchor": "left",
            "xref": "container",
            "pad": {"l": 12},
            "yanchor": "bottom",
            "yref": "container",
        },
        "paper_bgcolor": theme.paper,
        "plot_bgcolor": theme.paper,
        "xaxis": axis,
        "yaxis": axis,
        "hoverlabel": {
            "bgcolor": theme.paper,
            "bordercolor": theme.soft,
            "font": {"family": theme.sans, "size": 12, "color": theme.ink},
            "align": "left",
        },
        "hovermode": "closest",
        "legend": {
            "orientation": "h",
            "font": {"size": 11, "color": theme.ink},
            "bgcolor": "rgba(0,0,0,0)",
            "itemclick": False,
            "itemdoubleclick": False,
        },
        "dragmode": False,
        "modebar": {"remove": UPLOADS, "bgcolor": "rgba(0,0,0,0)", "color": theme.soft, "activecolor": theme.ink},
        "annotationdefaults": {"font": {"size": 11, "color": theme.soft}, "showarrow": False},
    }
    return go.layout.Template(layout=layout)
