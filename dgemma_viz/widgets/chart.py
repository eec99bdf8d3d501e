"""A Plotly FigureWidget that loads Plotly once per page and is updated by difference.

Why not FigureWidget as it is. Each FigureWidget carries Plotly's whole JavaScript (5 MB) in its own state: four charts
are 20 MB over the websocket and four evaluations in the browser, and anywidget gives up on a model whose module takes
more than two seconds, after which the chart never updates again (seen with four charts on a slow machine). So a
:class:`Chart` is a FigureWidget whose module is a few lines that wait for one shared :class:`PlotlyBundle`; everything
else is Plotly's own.

What crosses to the browser on :meth:`Chart.show`: of the new figure only the properties that differ from what is
shown, in one message, arrays as bytes (:mod:`dgemma_viz.widgets.wire_arrays`); nothing if nothing differs.
:meth:`Chart.change` does the same for a few properties, without a whole new figure. Where only shapes differ, as for
every other step or position, they take a way of their own, the trait ``marks``: Plotly would redraw the whole figure
for a shape's new place. Back from the browser come clicks and zooms; that the browser reports the state of the figure
after each change, as Plotly does, is switched off in ``plotly_bundle.js``.

What is sent while the browser still loads the chart's module is heard by nobody. So the state says which changes it
holds (``as_of``), and a chart that finds itself behind when it is loaded asks for the state once more.
"""

from __future__ import annotations

import gzip
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import plotly
import plotly.graph_objects as go
import traitlets as t
from ipywidgets import widget_serialization

from dgemma_viz.widgets.esm import joined_module
from dgemma_viz.widgets.postponed_import import postponed
from dgemma_viz.widgets.wire_arrays import FIGURE_PARTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Clicked = Callable[[float, float], None]

# Plotly's widgets import these for Figure.show() and write_image() alone: 25 MB in each kernel, most of it jsonschema.
with postponed("nbformat", "kaleido"):
    from plotly.graph_objects import FigureWidget

_USUAL_HEIGHT = 450
"""Plotly's own, where a figure has none."""

_OF_ITS_PLACE = {"autosize"}
"""Said by the browser. Without it, Plotly would fix the width that it guesses for a chart that is hidden."""

SELECTED = "selected"
"""How the names of shapes begin that mark the selection (:mod:`dgemma_viz.figures.markers`)."""


class PlotlyBundle(anywidget.AnyWidget):  # type: ignore[misc]
    """Plotly's own widget JavaScript, sent once and shared by all charts of a page. Shows nothing itself.

    Attributes
    ----------
    version
        Plotly's.
    source
        The JavaScript, gzip-compressed: a third of it, which counts on the way and for as long as the kernel lives.
    """

    _esm = joined_module("plotly_bundle.js")

    version = t.Unicode(plotly.__version__).tag(sync=True)
    source = t.Bytes().tag(sync=True)


@cache
def _plotly_source() -> bytes:
    source = (Path(plotly.__file__).parent / "package_data" / "widgetbundle.js").read_bytes()
    return gzip.compress(source, compresslevel=1, mtime=0)  # quickly: a page waits for it


_bundles: list[PlotlyBundle] = []


def shared_bundle() -> PlotlyBundle:
    """The bundle of this kernel, made when first needed, and again after its comm was closed."""
    if not _bundles or _bundles[0].comm is None:
        _bundles[:] = [PlotlyBundle(source=_plotly_source())]
    return _bundles[0]


class Chart(FigureWidget):  # type: ignore[misc]
    """A figure that can be replaced by another, sending only what differs.

    Parameters
    ----------
    figure
        What to show first.
    clicked
        Called with x and y of a clicked point.

    Attributes
    ----------
    dark
        Whether the page is dark, as the browser saw it.
    marks
        The last change of shapes alone: all ``shapes`` of the figure, and its ``number``.
    as_of
        What the figure's state in the browser began with: Plotly's number of the last change, and that of the marks.
    """

    _esm = joined_module("chart.js")

    data: Any
    _widget_data = t.List().tag(sync=True, **FIGURE_PARTS)
    _py2js_addTraces = t.Dict(allow_none=True).tag(sync=True, **FIGURE_PARTS)  # noqa: N815 - Plotly's name
    _py2js_restyle = t.Dict(allow_none=True).tag(sync=True, **FIGURE_PARTS)
    _py2js_update = t.Dict(allow_none=True).tag(sync=True, **FIGURE_PARTS)
    plotly_version = t.Unicode(plotly.__version__).tag(sync=True)
    pixels_high = t.Int(_USUAL_HEIGHT).tag(sync=True)
    dark = t.Bool(False).tag(sync=True)
    marks = t.Dict({"number": 0, "shapes": []}).tag(sync=True)
    as_of = t.List([0, 0]).tag(sync=True)
    bundle = t.Instance(PlotlyBundle).tag(sync=True, **widget_serialization)

    def __init__(self, figure: go.Figure, clicked: Clicked | None = None) -> None:
        super().__init__(figure)
        self._clicked = clicked
        self._config = {"displayModeBar": False, "responsive": True}
        self.pixels_high = figure.layout.height or _USUAL_HEIGHT
        self._register_clicks()
        self.on_msg(self._asked)

    @t.default("bundle")  # type: ignore[untyped-decorator]
    def _shared_bundle(self) -> PlotlyBundle:
        return shared_bundle()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> dict[str, Any]:
        """State as the figure is now: FigureWidget keeps it as first shown, and a page that joins later asks for it."""
        if key is None and getattr(self, "_layout_obj", None) is not None:
            self._catch_up()
        state: dict[str, Any] = super().get_state(key=key, drop_defaults=drop_defaults)
        return state

    def _catch_up(self) -> None:
        self._trait_values["_widget_layout"] = deepcopy(self._layout_obj._props)
        self._trait_values["_widget_data"] = deepcopy(self._data)
        self._trait_values["as_of"] = [self._last_layout_edit_id, self.marks["number"]]

    def _asked(self, _chart: object, message: object, _buffers: object) -> None:
        """The browser has missed a change."""
        if message == "state":
            self._catch_up()
            self.send_state(["_widget_layout", "_widget_data", "as_of"])

    def show(self, figure: go.Figure) -> None:
        """Show another figure, changing only what differs."""
        self.pixels_high = figure.layout.height or _USUAL_HEIGHT
        if [trace.type for trace in self.data] != [trace.type for trace in figure.data]:
            with self.batch_update():
                self.data = []
                self.add_traces(list(figure.data))
                changes = _changes(self._layout_obj._props, figure.layout._props, keep=_OF_ITS_PLACE)
                self.layout.update(changes, overwrite=True)
            self._register_clicks()
            return
        # Plotly's own dictionaries: its copies of a heatmap's values and texts cost more than the comparison.
        layout = _changes(self._layout_obj._props, figure.layout._props, keep=_OF_ITS_PLACE)
        traces = [
            _changes(shown, wanted, keep={"uid", "type"})
            for shown, wanted in zip(self._data, figure._data, strict=True)
        ]
        if set(layout) == {"shapes"} and not any(traces):
            self.layout.shapes = layout["shapes"]
            return
        self._set(traces, layout)

    def change(self, data: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> None:
        """Set a few properties of each trace, and of the layout (dotted names reach inside); the others stay."""
        traces = [
            {name: value for name, value in wanted.items() if not _same(shown.get(name), value)}
            for shown, wanted in zip(self._data, data, strict=True)
        ]
        self._set(traces, {name: value for name, value in layout.items() if not _same(self.layout[name], value)})

    def _set(self, traces: Sequence[Mapping[str, Any]], layout: Mapping[str, Any]) -> None:
        """Set properties that differ, in one message."""
        with self.batch_update():
            for shown, changes in zip(self.data, traces, strict=True):
                if changes:
                    shown.update(changes, overwrite=True)
            if layout:
                self.layout.update(layout, overwrite=True)

    def mark(self, shapes: Sequence[Mapping[str, Any]]) -> None:
        """Replace the marks of the selection (shapes named ``"selected ..."``), the quickest change there is."""
        shown = [shape.to_plotly_json() for shape in self.layout.shapes or ()]
        wanted = [shape for shape in shown if not str(shape.get("name", "")).startswith(SELECTED)]
        wanted += [dict(shape) for shape in shapes]
        if not _same(shown, wanted):
            self.layout.shapes = wanted

    def _send_relayout_msg(self, layout_data: dict[str, Any], source_view_id: Any = None) -> None:
        """Plotly's own sending of a change of the layout; shapes alone go by ``marks``."""
        if set(layout_data) == {"shapes"}:
            self.marks = {"number": self.marks["number"] + 1, "shapes": list(layout_data["shapes"] or ())}
        else:
            super()._send_relayout_msg(layout_data, source_view_id)

    def _register_clicks(self) -> None:
        if self._clicked is None:
            return
        for trace in self.data:
            trace.on_click(self._point_clicked)

    def _point_clicked(self, _trace: object, points: Any, _state: object = None) -> None:
        if self._clicked is not None and points.xs:
            self._clicked(points.xs[0], points.ys[0])


def _changes(shown: dict[str, Any], wanted: dict[str, Any], keep: set[str]) -> dict[str, Any]:
    """Properties of ``wanted`` that differ from ``shown``; None for those it lacks."""
    changes = {name: value for name, value in wanted.items() if name not in keep and not _same(shown.get(name), value)}
    changes |= {name: None for name in shown if name not in wanted and name not in keep}
    return changes


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        left, right = np.asarray(left), np.asarray(right)
        return left.shape == right.shape and left.dtype.kind == right.dtype.kind and _equal_arrays(left, right)
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in right)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(_same, left, right))
    return bool(left == right) or (left != left and right != right)  # noqa: PLR0124 - both NaN


def _equal_arrays(left: np.ndarray, right: np.ndarray) -> bool:
    return np.array_equal(left, right, equal_nan=left.dtype.kind == "f")
