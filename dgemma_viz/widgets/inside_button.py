"""The button under an explorer that looks inside the step that is shown; the explorer then shows what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from dgemma_viz.errors import DgemmaVizError, SettingError, TraceError
from dgemma_viz.labs.inside import inside
from dgemma_viz.labs.interventions.hooks import model_of
from dgemma_viz.labs.interventions.repeatable import check_repeatable
from dgemma_viz.trace.inside.as_insides import place_of_inside
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.panels import close_tree

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer


class InsideButton(ipw.Box):  # type: ignore[misc]
    """A button, one to stop, and what became of it in words.

    Parameters
    ----------
    model, tokenizer
        What the trace was recorded with.
    viewer
        Shows the trace, and is given what was seen.

    Attributes
    ----------
    job
        Repeats the run up to the step that is shown when it starts: its buttons and its status line.
    """

    def __init__(self, model: Any, tokenizer: Any, viewer: Viewer) -> None:
        self._model, self._tokenizer, self._viewer = model, tokenizer, viewer
        self._trace: Trace | None = None
        self.job = BackgroundJob(self._work, tooltip="Repeat the run up to this step and look inside its pass")
        self.job.run_button.description, self.job.run_button.button_style = "Inside this step", ""
        self.job.run_button.icon, self.job.run_button.layout.width = "search", "11rem"
        self.job.stop_button.description = "Stop looking"  # beside the Stop of the other panel
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", grid_gap="0.25rem 0.75rem")
        super().__init__([self.job.run_button, self.job.stop_button, self.job.status_line], layout=rows)

    def show(self, trace: Trace) -> None:
        """Another trace."""
        self.job.stop()
        self.job.wait()
        self._trace = trace
        try:
            check_repeatable(trace, model_of(self._model), self._tokenizer)
        except (TraceError, SettingError) as error:
            self.job.run_button.disabled = True
            self.job.say(f"No step can be looked into: {error}.")
        else:
            self.job.run_button.disabled = not trace.n_steps
            self.job.say("")

    def close(self) -> None:
        """Stop, and close the buttons."""
        self.job.stop()
        self.job.wait()
        close_tree(self, super().close)

    def _work(self) -> None:
        trace, viewer = self._trace, self._viewer
        if trace is None or viewer.trace is not trace:
            raise DgemmaVizError("There is no run whose step could be looked into.")
        canvas, sample, step = viewer.canvas, viewer.sample, viewer.step
        where = f"canvas {canvas}, step {step}"
        if (canvas, sample, step) in map(place_of_inside, viewer.insides):
            self.job.say(f"Inside of {where} is shown already; click a token to see it.")
            return
        self.job.say(f"Repeating the run up to {where}…")
        try:
            seen = inside(
                self._model,
                self._tokenizer,
                trace,
                canvas,
                step,
                sample=sample,
                on_step=lambda _step: self.job.pause(),
            )
        except TraceError:
            self.job.pause()  # the reader may have stopped it
            raise
        viewer.add_inside(seen)
        self.job.say(f"Looked inside {where}: the pass agrees with the recorded one ({seen.facts.agreement}).")
