"""Change something in a recorded run and let it go on: interventions by clicking, and the two runs side by side.

State and wiring only: what an intervention does is :mod:`dgemma_viz.labs.interventions`. The run is repeated from its
beginning, so everything before the intervention is as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import DgemmaVizError, RunFailedError, SettingError, TraceError
from dgemma_viz.labs.interventions import Intervention, intervene
from dgemma_viz.labs.interventions.hooks import model_of
from dgemma_viz.labs.interventions.repeatable import check_repeatable
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.run_header import readable
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.intervention_form import InterventionForm
from dgemma_viz.widgets.panels import close_tree

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer

_FOLLOWED = ["canvas", "sample", "step", "position"]
_TITLE = "Change something at this step, and let the run go on from there"


class InterventionPanel(ipw.VBox):  # type: ignore[misc]
    """A form, the list of what will be changed, and the comparison of the original with the changed run.

    Parameters
    ----------
    model, tokenizer
        What the trace was recorded with.
    viewer
        Shows the trace; the form follows what is looked at in it.

    Attributes
    ----------
    opened
        Button that shows the form.
    form
        Fields of the next intervention.
    job
        Repeats the run: its buttons and its status line.
    chosen, listed
        Interventions of the next run, and their rows on the page.
    changed
        Trace of the last changed run, or None.
    comparison
        Original (A) and changed run (B), or None.
    """

    def __init__(self, model: Any, tokenizer: Any, viewer: Viewer) -> None:
        self._model, self._tokenizer, self._viewer = model, tokenizer, viewer
        self._trace: Trace | None = None
        self._reference: Reference | None = None
        self.form = InterventionForm()
        self.chosen: list[Intervention] = []
        self.changed: Trace | None = None
        self.comparison: Viewer | None = None
        self.add_button = ipw.Button(description="Add another", tooltip="Put this change on the list, to add another")
        self.job = BackgroundJob(self._work, tooltip="Repeat the run with the changes on the list, or with this one")
        self.listed, self.result = ipw.VBox(), ipw.VBox()
        self.add_button.on_click(lambda _: self.add())
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", grid_gap="0.25rem 0.75rem")
        self._controls = [
            self.form,
            self.listed,
            ipw.Box([self.job.run_button, self.job.stop_button, self.add_button], layout=rows),
            self.job.status_line,
        ]
        self._refusal = ipw.HTML()
        self.inside = ipw.VBox(self._controls)
        self.inside.layout.display = "none"
        # A button, not an accordion: ipywidgets' accordion cannot be opened by keyboard.
        self.opened = ipw.ToggleButton(
            description="What if?", tooltip=_TITLE, icon="code-fork", layout=ipw.Layout(width="9rem")
        )
        self.opened.observe(lambda _: self._open(), "value")
        super().__init__([self.opened, self.inside, self.result], layout=ipw.Layout(width="100%", min_width="0"))
        self.add_class("dgv-interventions")

    def show(self, trace: Trace, reference: Reference | None = None) -> None:
        """Another trace: nothing is chosen and nothing was run yet."""
        self._trace, self._reference = trace, reference
        self.chosen, self.changed = [], None
        self.result.children = []
        self.job.say("")
        self._offer(trace)
        self._look()
        self._redraw()

    def _offer(self, trace: Trace) -> None:
        """The form, or why this run cannot be repeated."""
        try:
            check_repeatable(trace, model_of(self._model), self._tokenizer)
            self.form.offer(trace)
        except (TraceError, SettingError) as error:
            self._refusal.value = str(readable(f"Nothing can be changed here: {error}."))
            self.inside.children = [self._refusal]
        else:
            self.inside.children = self._controls

    def _look(self, _change: object = None) -> None:
        """Follow what is looked at."""
        if self._viewer.trace is self._trace and self._trace is not None and self._trace.n_steps:
            self.form.look_at(self._viewer.run, self._viewer.step, self._viewer.position)

    def _open(self) -> None:
        """The form follows while it is open."""
        self.inside.layout.display = None if self.opened.value else "none"
        if self.opened.value:
            self._look()
            self._viewer.observe(self._look, _FOLLOWED)
        else:
            self._viewer.unobserve(self._look, _FOLLOWED)

    def close(self) -> None:
        """Stop, and close every view."""
        self.job.stop()
        self.job.wait()
        self.opened.value = False
        compared = [] if self.comparison is None else [self.comparison]
        close_tree(self, super().close, besides=[*self._controls, self._refusal, *compared])

    def add(self) -> None:
        """Add what the form says to the list."""
        try:
            self.chosen.append(self.form.intervention())
        except SettingError as error:
            self.job.complain(str(error))
            return
        self.job.say("")
        self._redraw()

    def _remove(self, index: int) -> None:
        del self.chosen[index]
        self._redraw()

    def _redraw(self) -> None:
        rows = []
        for index, intervention in enumerate(self.chosen):
            words = intervention.describe(self._trace.token_texts if self._trace else None)
            remove = ipw.Button(description="Remove", tooltip=f"Remove: {words}", layout=ipw.Layout(width="6rem"))
            remove.on_click(lambda _, index=index: self._remove(index))
            rows.append(ipw.HBox([remove, ipw.HTML(str(readable(words)))], layout=ipw.Layout(align_items="center")))
        self.listed.children = rows

    def _work(self) -> None:
        if self._trace is None:
            raise DgemmaVizError("There is no run to change.")
        if not self.chosen:
            self.chosen.append(self.form.intervention())
            self._redraw()
        self.job.say("Repeating the run with these changes…")
        try:
            done = intervene(
                self._model, self._tokenizer, self._trace, self.chosen, on_step=lambda _step: self.job.pause()
            )
        except RunFailedError as error:
            self._put_beside(error.trace)
            raise
        self._put_beside(done.trace)
        self.job.say(done.explain())

    def _put_beside(self, changed: Trace) -> None:
        assert self._trace is not None  # noqa: S101 - told in _work
        self.changed = changed
        pair = pair_of(self._trace, changed)
        if self.comparison is None:
            from dgemma_viz.widgets.viewer import Viewer

            self.comparison = Viewer(pair, self._reference)
        else:
            self.comparison.show(pair, self._reference)
        self.comparison.jump_to_first()
        self.result.children = [self.comparison]
