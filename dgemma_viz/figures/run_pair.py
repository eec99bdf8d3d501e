"""How two compared runs look, wherever they are drawn together: a name, a glyph, a colour and a line style each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RunStyle:
    """One of two compared runs.

    Attributes
    ----------
    name, glyph
        One character each, for text.
    colour
        A field of :class:`~dgemma_viz.figures.theme.Theme`.
    symbol, dash
        Plotly marker symbol of the glyph's form, and line style.
    line
        The line style in a word.
    """

    name: str
    glyph: str
    colour: str
    symbol: str
    dash: str
    line: str


A = RunStyle("A", "●", "accent", "circle", "solid", "solid")
B = RunStyle("B", "◆", "second", "diamond", "dash", "dashed")
