"""Figures as a page needs them: for both looks, without what the page has or makes itself.

The template is the same for all figures of one look and is kept once. The map of a quantity goes without its cells: the
page has all values and texts in the records already, and fills them in.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from dgemma_viz.figures import curves
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.heatmap import colouring, map_without_cells
from dgemma_viz.figures.quantities import QUANTITIES as DESCRIBED
from dgemma_viz.figures.quantities import Quantity, quantity_of
from dgemma_viz.figures.theme import THEMES
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    import plotly.graph_objects as go

Spec = dict[str, Any]

QUANTITIES = tuple(name for name, quantity in DESCRIBED.items() if quantity.on_page)
"""What the colour of a token can stand for; keys of :data:`dgemma_viz.figures.quantities.QUANTITIES`."""

SHOWS = ("draft", "noised", "candidate")
"""Whose token texts are shown."""

LAYOUTS = ("auto", "grid", "reading")
"""How the tokens are laid out: in equal cells, or as text reads; ``auto``: as the run is better read."""

SCALES = {
    name: {quantity: list(theme.scale(DESCRIBED[quantity].scale)) for quantity in QUANTITIES}
    for name, theme in THEMES.items()
}
"""Colour stops by look and quantity, the same as the figures'."""


@cache
def looks() -> dict[str, Spec]:
    """What sets light from dark: the template, and the colours that the page draws with itself."""
    return {
        name: {
            "template": theme.template().to_plotly_json(),
            "ink": theme.ink,
            "paper": theme.paper,
            "warning": theme.warning,
        }
        for name, theme in THEMES.items()
    }


def for_both_looks(draw: Callable[[str], go.Figure]) -> dict[str, Spec]:
    """A figure by look; ``draw`` makes it for one."""
    return {name: spec_of(draw(name)) for name in THEMES}


def spec_of(figure: go.Figure, *, template: bool = False) -> Spec:
    """Data and layout of a figure as plain JSON values, with its template if that is wanted."""
    spec: Spec = json.loads(figure.to_json())
    if not template:
        spec["layout"].pop("template", None)
    return spec


def curves_of(run: CanvasRun) -> dict[str, Spec]:
    """The curves of a run by look."""
    return for_both_looks(lambda look: curves(run.trace, run.canvas, run.sample, theme=look))


def quantity_map_of(run: CanvasRun) -> Spec:
    """The map of a run without cells, and by quantity: its colours in each look, and words for its hovers."""
    return spec_of(map_without_cells(run)) | {"quantities": {name: _quantity(run, name) for name in QUANTITIES}}


def _quantity(run: CanvasRun, name: str) -> Spec:
    quantity, colours = quantity_of(run.trace, name), colouring(run.trace, run.canvas, run.sample, name)
    cells, taken_back = colours.data
    return {
        "cells": {part: value for part, value in cells.items() if part != "colorscale"},
        "taken_back": {axis: places.tolist() for axis, places in taken_back.items()},
        "subtitle": colours.subtitle,
        "scales": {look: _scale(quantity, look) for look in THEMES},
        "title": quantity.title,
        "unit": quantity.unit,
        "provenance": quantity.provenance,
        "missing": quantity.missing,
        "categories": list(quantity.categories),
        "recorded": quantity.recorded,
    }


def _scale(quantity: Quantity, look: str) -> list[list[Any]]:
    return [list(stop) for stop in plotly_scale(THEMES[look].scale(quantity.scale), steps=bool(quantity.categories))]
