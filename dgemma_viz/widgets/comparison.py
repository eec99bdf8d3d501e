"""Two traces in step with each other: two token canvases, one set of charts, and a table of what changed.

Design. The canvases are linked in the browser (``jslink``), so that stepping, scrubbing and playing one moves the other
without waiting for the kernel. Both hold the same ``step``; a canvas whose run has ended before it shows its last step.
Python hears of each move and moves the charts, but sends nothing back to the canvases: the browser may be further on by
then. Only what begins in Python (a click in a chart, the jump, another canvas or sample) is sent to both.

Which drafts differ at each step crosses once for a canvas, as bytes; see
:attr:`dgemma_viz.widgets.token_canvas.TokenCanvas.differing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np
import traitlets

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.errors import TraceError
from dgemma_viz.figures.compared_curves import compared_curves
from dgemma_viz.figures.difference_map import difference_map
from dgemma_viz.figures.markers import crosshair, step_marker
from dgemma_viz.figures.run_pair import A, B
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.compared_position import ComparedPosition
from dgemma_viz.widgets.comparison_head import first_difference_html, run_heading_html, table_html
from dgemma_viz.widgets.panels import close_tree, columns, panel
from dgemma_viz.widgets.redraw import Redraw
from dgemma_viz.widgets.run_choice import RunChoice
from dgemma_viz.widgets.selection import Selection
from dgemma_viz.widgets.token_canvas import TokenCanvas
from dgemma_viz.widgets.words import Glossary

if TYPE_CHECKING:
    import os

    import numpy.typing as npt
    import plotly.graph_objects as go

    from dgemma_viz.analysis.comparison import Differences, TracePair
    from dgemma_viz.analysis.divergence import Divergence
    from dgemma_viz.analysis.reference import Reference
    from dgemma_viz.figures.run_pair import RunStyle
    from dgemma_viz.trace.model import CanvasRun

LINKED = ("step", "position", "quantity", "shows")
"""Traits of the canvases that the browser keeps the same. Only one of them plays."""

_NO_RUN = "Run {name} has no denoising steps of sample {sample} on canvas {canvas}."


class Comparison(widgets.VBox):  # type: ignore[misc]
    """First difference, what changed, two linked canvases, both runs at one position, map and curves.

    Parameters
    ----------
    pair
        Two traces, from :func:`~dgemma_viz.analysis.comparison.pair_of`.
    reference
        The right answer, for the rows of errors; see :data:`dgemma_viz.analysis.reference.Reference`.

    Attributes
    ----------
    pair
        What is compared.
    first
        First difference of the selected sample, or None.
    selection
        What is looked at; set it to move every view, observe it to follow the user.
    canvases
        The token canvases of A and B.
    position, map, curves
        The other views; map and curves are None if neither trace has steps.
    jump
        Button that goes to the first difference.
    """

    def __init__(self, pair: TracePair, reference: Reference | None = None) -> None:
        self.pair, self._reference = pair, reference
        self.first: Divergence | None = None
        self.selection = Selection()
        self.canvases = tuple(TokenCanvas(title=f"Token canvas of run {run.name}") for run in (A, B))
        self.position = ComparedPosition()
        self.jump = widgets.Button(
            description="Jump to the first difference", layout=widgets.Layout(width="auto", align_self="flex-start")
        )
        self.map: Chart | None = None
        self.curves: Chart | None = None
        self._head, self._table = (widgets.HTML(layout=widgets.Layout(width="100%")) for _ in range(2))
        self._headings = [widgets.HTML(layout=widgets.Layout(width="100%")) for _ in range(2)]
        self._choice = RunChoice(1, 1)
        self._links = [widgets.jslink(*((canvas, name) for canvas in self.canvases)) for name in LINKED]
        self._from_page = self._replacing = False
        self._glossary = Glossary()
        self._redraws = Redraw(self._redraw)
        runs = [
            widgets.VBox([heading, canvas], layout=widgets.Layout(min_width="0", width="100%"))
            for heading, canvas in zip(self._headings, self.canvases, strict=True)
        ]
        self._views = [self._head, self.jump, self._choice, columns(*runs, narrowest="520px"), self.position]
        super().__init__(
            [*self._views, self._table, self._glossary],
            layout=widgets.Layout(width="100%", min_width="0", grid_gap="14px"),
        )
        for name in ("canvas", "sample"):
            traitlets.link((self.selection, name), (getattr(self._choice, name), "value"))
        for canvas in self.canvases:
            canvas.observe(self._canvas_moved, ("step", "position", "quantity"))
            canvas.observe(self._one_plays, "playing")
        self.canvases[0].observe(self._selection_changed, "dark")
        self.selection.observe(self._selection_changed)
        self.jump.on_click(lambda _: self.jump_to_first())
        self.show(pair, reference)

    def show(self, pair: TracePair, reference: Reference | None = None) -> None:
        """Compare two other traces in the same views; what is looked at stays as far as both have it.

        Raises
        ------
        SettingError
            The reference is not one, or its function failed.
        """
        canvas, sample = self.selection.canvas, self.selection.sample
        self._replacing = True
        try:
            self.pair, self._reference = pair, reference
            self._choice.offer(pair.n_canvases, pair.n_samples)
            self.selection.canvas = max(0, min(canvas, pair.n_canvases - 1))
            self.selection.sample = max(0, min(sample, pair.n_samples - 1))
        finally:
            self._replacing = False
        with self._redraws.together():
            self._redraws.note("canvas")
            self._run_chosen(other_canvas=self.selection.canvas != canvas)

    @property
    def runs(self) -> tuple[CanvasRun | None, CanvasRun | None]:
        """The selected canvas of the selected sample in A and B; None where a trace does not have it."""
        return self.pair.runs(self.selection.canvas, self.selection.sample)

    @property
    def theme(self) -> str:
        """``"dark"`` or ``"light"``, as the browser saw the page."""
        return "dark" if self.canvases[0].dark else "light"

    def jump_to_first(self) -> None:
        """Go to the first difference: its canvas, step and first position."""
        if self.first is None:
            return
        with self._redraws.together():
            self.selection.canvas = self.first.canvas
            self.selection.step = self.first.step
            if self.first.positions:
                self.selection.position = self.first.positions[0]

    def close(self) -> None:
        """Close links and views, so that neither kernel nor browser keeps them."""
        for link in self._links:
            link.close()
        self.position.close()
        close_tree(self, closing=super().close)

    # -- links ---------------------------------------------------------------------------------------------------

    @property
    def _n_steps(self) -> int:
        return self.pair.n_steps(self.selection.canvas, self.selection.sample)

    def _canvas_moved(self, change: traitlets.Bunch) -> None:
        """The browser has moved both canvases, or Python has; either way they need no message."""
        if self._from_page or getattr(self.selection, change["name"]) == change["new"]:
            return
        self._from_page = True
        try:
            setattr(self.selection, change["name"], change["new"])
        finally:
            self._from_page = False

    def _one_plays(self, change: traitlets.Bunch) -> None:
        for canvas in self.canvases:
            if change["new"] and canvas is not change["owner"]:
                canvas.playing = False

    def _selection_changed(self, change: traitlets.Bunch) -> None:
        if self._replacing:
            return
        with self._redraws.together():
            name = change["name"]
            self._redraws.note(name)
            if name in {"canvas", "sample"}:
                self._run_chosen(other_canvas=name == "canvas")
            elif name in {"step", "position", "quantity"} and not self._from_page:
                for canvas in self.canvases:
                    setattr(canvas, name, change["new"])

    def _run_chosen(self, *, other_canvas: bool) -> None:
        """Another canvas starts at its first step, nothing pinned; another sample keeps both if both runs have them."""
        last = min(run.n_steps if run else 0 for run in self.runs) - 1
        self.selection.step = 0 if other_canvas else max(0, min(self.selection.step, last))
        if other_canvas or last < 0:
            self.selection.position = -1

    def _map_clicked(self, x: float, y: float) -> None:
        with self._redraws.together():
            self.selection.position = max(0, min(round(x), self.pair.positions - 1))
            self.selection.step = max(0, min(round(y), self._n_steps - 1))

    def _curves_clicked(self, x: float, _y: float) -> None:
        self.selection.step = max(0, min(round(x), self._n_steps - 1))

    # -- drawing -------------------------------------------------------------------------------------------------

    def _redraw(self, changed: set[str]) -> None:
        chosen = self.selection
        if changed & {"canvas", "sample"}:
            self.first = divergence_of(self.pair, chosen.sample)
            self.jump.layout.display = "none" if self.first is None else ""
            self._head.value = first_difference_html(self.pair, self.first, chosen.sample)
            self._table.value = table_html(self.pair, self._reference, chosen.sample)
            found = self.pair.differences(chosen.canvas, chosen.sample)
            for run, style, canvas, heading in zip(self.runs, (A, B), self.canvases, self._headings, strict=True):
                heading.value = run_heading_html(self.pair, style, chosen.sample)
                self._show_canvas(canvas, run, style, found)
        self._draw_charts(changed)
        if changed != {"quantity"}:
            self.position.show(self.runs, chosen.step, chosen.position, self.theme)

    def _draw_charts(self, changed: set[str]) -> None:
        """Draw the map and the curves; they are made with the first pair that has steps."""
        if self.map is None or self.curves is None:
            if not self.pair.n_canvases:
                return
            self.map = Chart(self._map_figure(), self._map_clicked)
            self.curves = Chart(self._curves_figure(), self._curves_clicked)
            layout = widgets.Layout(min_width="0", grid_gap="14px")
            left = widgets.VBox([panel(self.map), self._table], layout=layout)
            self.children = [*self._views, columns(left, panel(self.curves)), self._glossary]
        elif changed <= {"step", "position"}:
            self._mark(self.map, self.curves)
        elif changed != {"quantity"}:
            self.map.show(self._map_figure())
            self.curves.show(self._curves_figure())

    def _show_canvas(self, canvas: TokenCanvas, run: CanvasRun | None, style: RunStyle, found: Differences) -> None:
        if run is not None and run.n_steps:
            canvas.show(run, differing=as_wide(found.draft, run.canvas_length) if found.common else None)
            return
        trace = self.pair.a if style is A else self.pair.b
        place = {"name": style.name, "sample": self.selection.sample, "canvas": self.selection.canvas}
        canvas.begin(trace.canvas_length, trace.top_k, _NO_RUN.format(**place))
        canvas.live = False

    def _mark(self, chart_map: Chart, curves: Chart) -> None:
        """Move the selection's marks: all that another step or position changes in these two."""
        look, step = theme_named(self.theme), self.selection.step
        if size := self._map_size:
            chart_map.mark(crosshair(step, self._column, size, look))
        if self._n_steps:
            curves.mark([step_marker(step, look)])

    @property
    def _map_size(self) -> tuple[int, int] | None:
        """Rows and columns of the map; None where there is nothing to compare."""
        found = self.pair.differences(self.selection.canvas, self.selection.sample)
        return (len(found.draft), found.draft.shape[1]) if found.common and found.draft.size else None

    @property
    def _column(self) -> int | None:
        """The selected position, if both canvases have it."""
        return self.selection.position if 0 <= self.selection.position < self.pair.positions else None

    def _map_figure(self) -> go.Figure:
        chosen = self.selection
        step, position = (chosen.step, self._column) if self._map_size else (None, None)
        return difference_map(*self.pair.traces, chosen.canvas, chosen.sample, step, position, self.theme)

    def _curves_figure(self) -> go.Figure:
        chosen = self.selection
        step = chosen.step if self._n_steps else None
        return compared_curves(*self.pair.traces, chosen.canvas, chosen.sample, step, self.theme)


def compare(
    trace_a: Trace | str | os.PathLike[str],
    trace_b: Trace | str | os.PathLike[str],
    reference: Reference | None = None,
) -> Comparison:
    """Compare two traces, or trace files, in linked views: where the runs part, and what came of it.

    Parameters
    ----------
    trace_a, trace_b
        Recorded runs, or paths of trace files. They may differ in everything but the vocabulary: what cannot be
        compared is said.
    reference
        The right answer for both, or a function of prompt and completion that returns whether it is right, or the right
        answer; each trace's own reference if None.

    Raises
    ------
    TraceError
        Something else was given, a file is not a readable trace, or the traces do not share a vocabulary.
    SettingError
        The reference is not one, or its function failed.
    """
    return Comparison(pair_of(_opened(trace_a), _opened(trace_b)), reference)


def _opened(trace: Trace | str | os.PathLike[str]) -> Trace:
    if isinstance(trace, Trace):
        return trace
    if isinstance(trace, str) or hasattr(trace, "__fspath__"):
        from dgemma_viz.trace import load_trace

        return load_trace(trace)
    recorded = getattr(trace, "trace", None)
    hint = "; give it its '.trace'" if isinstance(recorded, Trace) else ""
    raise TraceError(
        f"compare() shows two Traces or paths of trace files, not a {type(trace).__name__}{hint}. "
        "Record one with dv.record(model, tokenizer), or open one with dv.load_trace(path)"
    )


def as_wide(differing: npt.NDArray[np.bool_], positions: int) -> npt.NDArray[np.bool_]:
    """Marks ``(T, C)`` for a canvas of more positions than were compared."""
    return np.pad(differing, ((0, 0), (0, positions - differing.shape[1])))
