"""What would another entropy bound have accepted? Answered from the recorded entropies, without running the model."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import ipywidgets as ipw
import numpy as np

from dgemma_viz.amounts import nats
from dgemma_viz.analysis.acceptance import first_change, redecide
from dgemma_viz.figures import accepted_by_bound, entropy_budget
from dgemma_viz.figures.frame import no_bound
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import close_tree, columns, panel, status
from dgemma_viz.widgets.viewer import Viewer

if TYPE_CHECKING:
    import plotly.graph_objects as go
    import traitlets

_FALLBACK = 0.1
_DECADES = (-5, 2)
LIMIT = (
    "Later steps are hypothetical: the model would have read another canvas, and its entropies would be others. Run it "
    "with that bound to see what really happens."
)


class BoundExplorer(ipw.VBox):  # type: ignore[misc]
    """A slider for the bound, the token canvas as that bound would decide, and the budget of the chosen step.

    Parameters
    ----------
    trace
        Recorded run.
    canvas, sample
        Which canvas of which sample.

    Attributes
    ----------
    bound
        Slider; its value is the what-if bound in nats.
    reset, words
        Button back to the recorded bound, and what the what-if bound changes.
    viewer
        The canvas; accepted and re-noised are those of the what-if bound.
    budget, counts
        Charts: entropies of the step in ascending order with the budget, and how many positions each step accepts.
    """

    def __init__(self, trace: Trace, canvas: int = 0, sample: int = 0) -> None:
        self._recorded = trace.canvas_run(canvas, sample)
        used = self._used
        decades = math.log10(used) if used > 0 else _DECADES[0]
        self.bound = ipw.FloatLogSlider(
            value=used or 10 ** _DECADES[0],
            min=min(_DECADES[0], math.floor(decades)),
            max=max(_DECADES[1], math.ceil(decades)),
            step=0.05,
            description="Entropy bound (nats)",
            readout_format=".3g",
            style={"description_width": "initial"},
            layout=ipw.Layout(width="34rem", max_width="100%"),
        )
        self._start = self.bound.value
        self.reset = ipw.Button(description="As recorded", tooltip=f"Back to the recorded bound of {nats(used, 6)}")
        self.words = ipw.HTML()
        self.viewer = Viewer(quantity="accepted", views="canvas")
        self.viewer.show_canvas(self._recorded)
        self.budget = Chart(self._draw_budget, self._clicked)
        self.counts = Chart(self._draw_counts, self._step_clicked)
        self.bound.observe(lambda _: self._decide(), "value")
        self.reset.on_click(lambda _: self._set(self._start))
        self.viewer.observe(self._looked_elsewhere, ["step", "position"])
        row = ipw.Box([self.bound, self.reset], layout=ipw.Layout(flex_flow="row wrap", align_items="center"))
        charts = columns(panel(self.budget), panel(self.counts))
        layout = ipw.Layout(width="100%", min_width="0", grid_gap="10px")
        reason = no_bound(self._recorded)
        shown = [self.words, self.viewer] if reason else [row, self.words, self.viewer, charts]
        self._kept_back = [row, charts] if reason else []
        super().__init__(shown, layout=layout)
        if reason:
            self.words.value = status(f"Nothing to vary: {reason.replace('<br>', ' ')}.")
        else:
            self._decide()

    def close(self) -> None:
        """Close every view."""
        for part in self._kept_back:
            close_tree(part)
        close_tree(self, closing=super().close)

    @property
    def _used(self) -> float:
        """The bound of the first step, as slider value; the released model's where none is known."""
        bounds = self._recorded.array("entropy_bound")
        known = float(bounds[0]) if len(bounds) and np.isfinite(bounds[0]) else _FALLBACK
        return float(f"{known:.6g}")

    @property
    def _as_recorded(self) -> bool:
        """The slider stands where it stood at first; recorded decisions are then shown as they are."""
        return math.isclose(self.bound.value, self._start)

    @property
    def _place(self) -> tuple[Trace, int, int]:
        return self._recorded.trace, self._recorded.canvas, self._recorded.sample

    def _decide(self) -> None:
        """Show the decisions of the slider's bound."""
        run, bound = self._recorded, self.bound.value
        derived = f"Accepted and re-noised as {nats(bound)} would decide: derived, not measured."
        if self._as_recorded:
            self.viewer.show_canvas(run)
        else:
            self.viewer.show_canvas(_decided(run, bound), derived)
        self.budget.redraw()
        self.counts.redraw()
        self.words.value = status(_summary(run, None if self._as_recorded else bound, self._used))

    def _set(self, bound: float) -> None:
        self.bound.value = bound

    def _looked_elsewhere(self, change: traitlets.Bunch) -> None:
        self.budget.redraw()
        if change["name"] == "step":
            self.counts.redraw()

    def _clicked(self, x: float, _y: float) -> None:
        step, rank = self.viewer.step, round(x) - 1
        if self._recorded.n_steps and 0 <= rank < self._recorded.canvas_length:
            order = np.argsort(self._recorded.array("entropy")[step], kind="stable")
            self.viewer.position = int(order[rank])

    def _step_clicked(self, x: float, _y: float) -> None:
        self.viewer.step = max(0, min(round(x), self._recorded.n_steps - 1))

    def _draw_budget(self, theme: str) -> go.Figure:
        position = self.viewer.position if self.viewer.position >= 0 else None
        what_if = None if self._as_recorded else self.bound.value
        chosen = {"step": self.viewer.step, "position": position} if self._recorded.n_steps else {}
        return entropy_budget(*self._place, **chosen, bound=what_if, theme=theme)

    def _draw_counts(self, theme: str) -> go.Figure:
        step = self.viewer.step if self._recorded.n_steps else None
        return accepted_by_bound(*self._place, step=step, bound=self.bound.value, theme=theme)


def _decided(run: CanvasRun, bound: float) -> CanvasRun:
    """The run with the acceptance of another bound."""
    accepted, decision = run.trace.accepted.copy(), run.trace.decision.copy()
    steps, inside = run.steps[run.decided], slice(run.canvas_length)
    accepted[steps, run.sample, inside] = redecide(run, bound)[run.decided]
    decision[steps, run.sample, inside] = accepted[steps, run.sample, inside]
    return replace(run.trace, accepted=accepted, decision=decision).canvas_run(run.canvas, run.sample)


def _summary(run: CanvasRun, bound: float | None, used: float) -> str:
    if not run.n_steps:
        return "This canvas has no denoising steps."
    if bound is None:
        return f"{nats(used, 6)}, as recorded. Move the slider: the canvas shows what another bound would accept."
    change = first_change(run, bound)
    if change is None:
        return f"With {nats(bound)} every step would have decided the same."
    before, after = run.array("accepted")[change].sum(), redecide(run, bound)[change].sum()
    words = f"With {nats(bound)} step {change} is the first to change: {after} accepted in place of {before}."
    return f"{words} {LIMIT}"
