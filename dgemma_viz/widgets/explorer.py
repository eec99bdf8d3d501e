"""The explorer: every view of one trace, linked by one selection, and what a diagnosis found in it.

The token canvas scrubs in the browser; each of its moves reaches Python as a small trait, goes into the
:class:`~dgemma_viz.widgets.selection.Selection`, and from there to the charts. Clicks in the charts take the same way
back. Views never talk to each other. While the canvas plays, the browser has at most one message under way and merges
the steps that pass meanwhile, so a slow kernel skips steps in the charts instead of lagging behind; one change of the
selection redraws each chart once, and sends only what differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as widgets
import traitlets

from dgemma_viz.diagnosis import diagnose
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures import curves, heatmap
from dgemma_viz.figures.heatmap import colouring, is_strip
from dgemma_viz.figures.markers import crosshair, step_marker
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.findings_list import FindingsList
from dgemma_viz.widgets.inspector import Inspector
from dgemma_viz.widgets.panels import ONE_COLUMN, close_tree, columns, panel, side_by_side
from dgemma_viz.widgets.redraw import Redraw
from dgemma_viz.widgets.run_choice import RunChoice
from dgemma_viz.widgets.run_header import header_html
from dgemma_viz.widgets.selection import Selection
from dgemma_viz.widgets.token_canvas import TokenCanvas
from dgemma_viz.widgets.words import Glossary

if TYPE_CHECKING:
    import os

    import plotly.graph_objects as go

    from dgemma_viz.analysis.reference import Reference
    from dgemma_viz.diagnosis import Finding
    from dgemma_viz.trace.model import CanvasRun
    from dgemma_viz.widgets.intervention_panel import InterventionPanel

NO_STEPS = "This trace holds no denoising steps: the run ended before its first step."
ENDED_BEFORE = "Sample {sample} had ended before canvas {canvas}: no denoising step ran for it there."


class Explorer(widgets.VBox):  # type: ignore[misc]
    """Header, findings, token canvas, heatmap, curves and inspector of one trace.

    Parameters
    ----------
    trace
        What to explore.
    reference
        The right answer, for the diagnosis; see :data:`dgemma_viz.analysis.reference.Reference`.
    model, tokenizer
        What the trace was recorded with: then its run can be changed and repeated from here.

    Attributes
    ----------
    trace
        What is explored.
    diagnosis
        What was found in it.
    selection
        What is looked at; set it to move every view, observe it to follow the user.
    findings, token_canvas, heatmap, curves, inspector
        The views; the charts are None for a trace without steps.
    interventions
        Panel that changes something and repeats the run; None without a model.
    """

    def __init__(
        self, trace: Trace, reference: Reference | None = None, *, model: Any = None, tokenizer: Any = None
    ) -> None:
        self.selection = Selection()
        self.findings = FindingsList()
        self.token_canvas = TokenCanvas()
        self.inspector = Inspector()
        self.heatmap: Chart | None = None
        self.curves: Chart | None = None
        self.interventions = None if model is None else _intervention_panel(model, tokenizer)
        self._glossary = Glossary()
        self._header = widgets.HTML(layout=widgets.Layout(width="100%"))
        self._choice = RunChoice(1, 1)
        self._choice_links: list[traitlets.link] = []
        self._charts = widgets.Box()
        self._redraws = Redraw(self._redraw)
        self._replacing = False
        super().__init__(layout=widgets.Layout(width="100%", min_width="0", grid_gap="14px"))
        for name in ("step", "position", "quantity"):
            traitlets.link((self.selection, name), (self.token_canvas, name))
        self.selection.observe(self._selection_changed)
        self.token_canvas.observe(self._selection_changed, "dark")
        self.findings.observe(self._finding_chosen, "chosen")
        self.show(trace, reference)

    def show(self, trace: Trace, reference: Reference | None = None) -> None:
        """Explore another trace in the same views: first canvas and step, nothing pinned; the quantity stays."""
        self.diagnosis = diagnose(trace, reference)
        self.trace = trace
        self.findings.show(self.diagnosis)
        if self.interventions is not None:
            self.interventions.show(trace, reference)
        self._replacing = True
        try:
            self.selection.canvas = self.selection.sample = self.selection.step = 0
            self.selection.position = -1
            self._offer_choice()
        finally:
            self._replacing = False
        self._header.value = header_html(trace, 0)
        if not trace.n_steps:
            self.token_canvas.begin(trace.canvas_length, trace.top_k, NO_STEPS)
            self.token_canvas.live = False
            self.children = [self._header, self.findings, self.token_canvas, self._glossary]
            return
        if self.heatmap is None or self.curves is None:
            self.heatmap = Chart(self._heatmap_figure(), self._heatmap_clicked)
            self.curves = Chart(self._curves_figure(), self._curves_clicked)
            self._charts = columns(panel(self.heatmap), panel(self.curves))
        self._redraw({"canvas"})

    @property
    def run(self) -> CanvasRun:
        """The selected canvas of the selected sample."""
        return self.trace.canvas_run(self.selection.canvas, self.selection.sample)

    @property
    def theme(self) -> str:
        """``"dark"`` or ``"light"``, as the browser saw the page."""
        return "dark" if self.token_canvas.dark else "light"

    def close(self) -> None:
        """Close every view, so that neither kernel nor browser keeps them."""
        for part in (*self._top, *self._below):
            if part not in self.children:
                close_tree(part)
        close_tree(self, closing=super().close)

    # -- links ---------------------------------------------------------------------------------------------------

    @property
    def _top(self) -> list[widgets.Widget]:
        return [self._header, self.findings, self._choice, self.token_canvas]

    @property
    def _below(self) -> list[widgets.Widget]:
        """Views of a canvas that has steps."""
        return [self.inspector, *([] if self.interventions is None else [self.interventions]), self._charts]

    def _offer_choice(self) -> None:
        """Selectors for the canvases and samples of the trace, in place of those of the trace before."""
        for link in self._choice_links:
            link.unlink()
        close_tree(self._choice)
        self._choice = RunChoice(self.trace.n_canvases, self.trace.n_samples)
        self._choice_links = [
            traitlets.link((self.selection, "canvas"), (self._choice.canvas, "value")),
            traitlets.link((self.selection, "sample"), (self._choice.sample, "value")),
        ]

    def _selection_changed(self, change: traitlets.Bunch) -> None:
        if self._replacing or not self.trace.n_steps:
            return
        with self._redraws.together():
            self._redraws.note(change["name"])
            if change["name"] in {"canvas", "sample"}:
                self._run_chosen(other_canvas=change["name"] == "canvas")

    def _run_chosen(self, *, other_canvas: bool) -> None:
        """Another canvas starts at its first step, nothing pinned; another sample keeps both as far as it has them."""
        steps = self.run.n_steps
        self.selection.step = 0 if other_canvas else max(0, min(self.selection.step, steps - 1))
        if other_canvas:
            self.selection.position = -1

    @property
    def _chosen(self) -> Finding | None:
        """The chosen finding."""
        index = self.findings.chosen
        return self.diagnosis.findings[index] if 0 <= index < len(self.diagnosis.findings) else None

    def _finding_chosen(self, _change: traitlets.Bunch) -> None:
        """Go where the chosen finding points; what it does not name stays as it is."""
        finding = self._chosen
        if self._replacing or finding is None:
            self.token_canvas.named = []
            return
        with self._redraws.together():
            self.selection.sample = finding.sample
            if finding.canvas is not None:
                self.selection.canvas = finding.canvas
            if finding.step is not None:
                self.selection.step = finding.step
            if finding.positions:
                self.selection.position = finding.positions[0]
        self._name_positions()

    def _name_positions(self) -> None:
        """Mark the positions of the chosen finding, on the canvas that it is about."""
        finding, here = self._chosen, (self.selection.canvas, self.selection.sample)
        spoken_of = finding is not None and here == (finding.canvas, finding.sample)
        self.token_canvas.named = list(finding.positions) if finding is not None and spoken_of else []

    def _heatmap_clicked(self, x: float, y: float) -> None:
        with self._redraws.together():
            self.selection.position = self._within(x, self.trace.canvas_length)
            self.selection.step = self._within(y, self.run.n_steps)

    def _curves_clicked(self, x: float, _y: float) -> None:
        self.selection.step = self._within(x, self.run.n_steps)

    @staticmethod
    def _within(value: float, size: int) -> int:
        return max(0, min(round(float(value)), size - 1))

    # -- drawing -------------------------------------------------------------------------------------------------

    def _redraw(self, changed: set[str]) -> None:
        run = self.run
        if "sample" in changed:
            self._header.value = header_html(self.trace, self.selection.sample)
        if changed & {"canvas", "sample"}:
            ended = ENDED_BEFORE.format(sample=self.selection.sample, canvas=self.selection.canvas)
            self.token_canvas.show(run, "" if run.n_steps else ended)
            self._name_positions()
            self.children = [*self._top, *(self._below if run.n_steps else []), self._glossary]
        if not run.n_steps or self.heatmap is None or self.curves is None:
            return
        if changed <= {"step", "position"}:
            self._mark(run, self.heatmap, self.curves)
        elif changed == {"quantity"}:  # the curves have colours of their own
            colours = colouring(*self._place, self.selection.quantity, self.theme)
            self.heatmap.change(colours.data, colours.layout)
        else:
            self._charts.layout.grid_template_columns = ONE_COLUMN if is_strip(run) else side_by_side()
            self.heatmap.show(self._heatmap_figure())
            self.curves.show(self._curves_figure())
        if changed != {"quantity"}:
            self.inspector.show(run, self.selection, self.theme)
            if self.interventions is not None:
                self.interventions.look_at(run, self.selection)

    def _mark(self, run: CanvasRun, heatmap: Chart, curves: Chart) -> None:
        """Move the selection's marks: all that another step or position changes in these two."""
        step, look = self.selection.step, theme_named(self.theme)
        heatmap.mark(crosshair(step, self._position, (run.n_steps, run.canvas_length), look))
        curves.mark([step_marker(step, look)])

    @property
    def _position(self) -> int | None:
        return self.selection.position if self.selection.position >= 0 else None

    @property
    def _place(self) -> tuple[Trace, int, int]:
        return self.trace, self.selection.canvas, self.selection.sample

    def _heatmap_figure(self) -> go.Figure:
        chosen = self.selection
        marked = {"step": chosen.step, "position": self._position}
        return heatmap(*self._place, chosen.quantity, **marked, theme=self.theme)

    def _curves_figure(self) -> go.Figure:
        return curves(*self._place, step=self.selection.step, theme=self.theme)


def _intervention_panel(model: Any, tokenizer: Any) -> InterventionPanel:
    """The panel and the labs behind it, which a session without a model does without."""
    from dgemma_viz.widgets.intervention_panel import InterventionPanel

    return InterventionPanel(model, tokenizer)


def explore(
    trace: Trace | str | os.PathLike[str],
    reference: Reference | None = None,
    *,
    model: Any = None,
    tokenizer: Any = None,
) -> Explorer:
    """Explore a trace, or a trace file, with linked interactive views, and what a diagnosis finds in it.

    Parameters
    ----------
    trace
        Recorded run, or path of a trace file.
    reference
        The right answer, or a function of prompt and completion that returns whether it is right, or the right answer;
        the trace's own reference if None.
    model, tokenizer
        What the trace was recorded with. Then a click on a token, and the panel below the charts, change something at
        the step that is shown, repeat the run, and compare the two; from code, :func:`dgemma_viz.intervene`.

    Raises
    ------
    TraceError
        It is neither trace nor path, or the file cannot be read.
    SettingError
        The reference is not one, or its function failed; or there is a model without its tokenizer.
    """
    if (model is None) != (tokenizer is None):
        raise SettingError("explore() needs both model and tokenizer to repeat the run, or neither")
    if isinstance(trace, Trace):
        return Explorer(trace, reference, model=model, tokenizer=tokenizer)
    if isinstance(trace, str) or hasattr(trace, "__fspath__"):
        from dgemma_viz.trace import load_trace

        return Explorer(load_trace(trace), reference, model=model, tokenizer=tokenizer)
    recorded = getattr(trace, "trace", None)
    hint = "; give it its '.trace'" if isinstance(recorded, Trace) else ""
    raise TraceError(
        f"explore() shows a Trace or the path of a trace file, not a {type(trace).__name__}{hint}. "
        "Record one with dv.record(model, tokenizer), or open one with dv.load_trace(path)"
    )
