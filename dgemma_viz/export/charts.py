"""Figures as an exported page needs them: for both looks of the page, without what the page has or makes itself.

The template is the same for all figures of one look and is kept once. The map of a quantity goes without its cells: the
page has all values and texts in the records of the token canvas already, and fills them in.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dgemma_viz.figures import curves
from dgemma_viz.figures.colour_scales import plotly_scale
from dgemma_viz.figures.heatmap import map_without_cells
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.figures.theme import THEMES
from dgemma_viz.widgets.token_canvas import QUANTITIES

if TYPE_CHECKING:
    from collections.abc import Callable

    import plotly.graph_objects as go

    from dgemma_viz.figures.quantities import Quantity
    from dgemma_viz.trace.model import CanvasRun

Spec = dict[str, Any]


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


def spec_of(figure: go.Figure) -> Spec:
    """Data and layout of a figure without its template, as plain JSON values."""
    spec: Spec = json.loads(figure.to_json())
    spec["layout"].pop("template", None)
    return spec


def curves_of(run: CanvasRun) -> dict[str, Spec]:
    """The curves of a run by look."""
    return for_both_looks(lambda look: curves(run.trace, run.canvas, run.sample, theme=look))


def maps_of(run: CanvasRun) -> dict[str, Spec]:
    """The map of a run by quantity, without cells, with the colour scale of each look and words for its hovers."""
    return {name: _map(run, name) for name in QUANTITIES}


def _map(run: CanvasRun, name: str) -> Spec:
    quantity = quantity_of(run.trace, name)
    return spec_of(map_without_cells(run.trace, run.canvas, run.sample, name)) | {
        "scales": {look: _scale(quantity, look) for look in THEMES},
        "quantity": {
            "title": quantity.title,
            "unit": quantity.unit,
            "provenance": quantity.provenance,
            "missing": quantity.missing,
            "categories": list(quantity.categories),
            "recorded": quantity.recorded,
        },
    }


def _scale(quantity: Quantity, look: str) -> list[list[Any]]:
    return [list(stop) for stop in plotly_scale(THEMES[look].scale(quantity.scale), steps=bool(quantity.categories))]
