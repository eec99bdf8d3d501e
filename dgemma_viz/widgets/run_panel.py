"""Choose a task and a prompt, run the model, explore the run: the bundled model's front door.

State and wiring only. The run itself is :func:`dgemma_viz.labs.run.run` as a background job: the token
canvas paints each step as it happens, and *Stop* ends the run within one denoising step and keeps its trace so far.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import ipywidgets as ipw

from dgemma_viz.errors import PromptError, RecordingError, RunFailedError
from dgemma_viz.labs.models import load_model
from dgemma_viz.labs.run import checked_seed, run
from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.labs.samplers.entropy_bound import ENTROPY_BOUND
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.tiny.tasks import task_of
from dgemma_viz.trace import Trace
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.fault_choice import FaultChoice
from dgemma_viz.widgets.live_run import LiveRun
from dgemma_viz.widgets.prompt_chooser import PromptChooser
from dgemma_viz.widgets.run_progress import run_summary
from dgemma_viz.widgets.viewer import Viewer
from dgemma_viz.work_limits import check_steps

_SLOW_MOTION = 0.25
"""Seconds that a step is left on screen in slow motion: the bundled model is too fast to follow by eye."""


class RunPanel(ipw.VBox):  # type: ignore[misc]
    """Controls, the live canvas, and the viewer of the last run.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma of the caller's own; the bundled one if None, loaded at the first run.
    task, example
        Task selected at first, a key of ``dgemma_viz.tiny.tasks.TASKS``, and which of its example prompts.
    seed
        Seed that is set at first.
    autorun
        Run the first example while the panel is built, so that a page never opens empty.
    faults
        Faults that the reader may plant in the model for a run (:mod:`dgemma_viz.labs.sabotage`).

    Attributes
    ----------
    prompts, seed, steps, bound, faults, slowly
        Controls: chooser of task and prompt, fields, and whether each step is left on screen for a while.
    job
        Runs them: its buttons and its status line.
    live
        Shows the run in progress, canvas alone.
    viewer
        Shows the last run; None before the first.
    """

    def __init__(
        self,
        model: Any = None,
        tokenizer: Any = None,
        *,
        task: str = "sudoku",
        example: int = 0,
        seed: int = 0,
        autorun: bool = True,
        faults: Sequence[Fault] = (),
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._trace: Trace | None = None
        self.job = BackgroundJob(self._record, tooltip="Denoise this prompt")
        # One live canvas and one viewer serve all runs: views closed while a page still builds them fail there.
        self.live = Viewer(views="canvas", shows="noised")
        self._live_run = LiveRun(self.live)
        self.viewer: Viewer | None = None
        self.prompts = PromptChooser(task, example)
        self._build_controls(faults, seed)
        self._stage = ipw.VBox()
        super().__init__([self._controls, self.job.status_line, self._stage])
        self.add_class("dgv-run-panel")
        if autorun:
            self.job.run_here()

    @property
    def trace(self) -> Trace:
        """Trace of the last run.

        Raises
        ------
        RecordingError
            Nothing was run yet.
        """
        if self._trace is None:
            raise RecordingError("nothing was recorded yet: press Run, or call panel.start() and panel.wait()")
        return self._trace

    def start(self) -> None:
        """Start a run with what the controls say; a run in progress is left alone."""
        self.job.start()

    def stop(self) -> None:
        """End the run in progress within one denoising step; what was recorded so far is shown."""
        self.job.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the run in progress has ended, at most ``timeout`` seconds."""
        self.job.wait(timeout)

    # -- building ------------------------------------------------------------------------------------------------

    def _build_controls(self, faults: Sequence[Fault], seed: int) -> None:
        self.seed = ipw.IntText(value=seed, description="Seed", layout=ipw.Layout(width="11rem"))
        self.steps = ipw.IntText(value=48, description="Steps", layout=ipw.Layout(width="11rem"))
        self.bound = ipw.FloatLogSlider(
            value=0.1,
            min=-2,
            max=2,
            step=0.1,
            description="Entropy bound",
            readout_format=".2g",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=ipw.Layout(width="22rem", max_width="100%"),
        )
        self.faults = FaultChoice(faults)
        self.slowly = ipw.Checkbox(
            value=True,
            description="Slow motion",
            tooltip=f"Wait {_SLOW_MOTION:g} s after each step, to follow it by eye; the result is the same",
            indent=False,
            layout=ipw.Layout(width="8rem"),
        )
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", width="100%", grid_gap="0.25rem 0.75rem")
        self._controls = ipw.VBox(
            [
                self.prompts,
                ipw.Box([self.seed, self.steps, self.bound], layout=rows),
                self.faults,
                ipw.Box([self.job.run_button, self.job.stop_button, self.prompts.another, self.slowly], layout=rows),
            ],
            layout=ipw.Layout(width="100%", max_width="52rem"),
        )

    # -- running -------------------------------------------------------------------------------------------------

    def _record(self) -> None:
        prompt = self.prompts.checked()
        seed = checked_seed(self.seed.value)
        parameters = ENTROPY_BOUND.checked({"max_denoising_steps": self.steps.value, "entropy_bound": self.bound.value})
        check_steps(self.steps.value)
        if self._model is None:
            self.job.say("Loading the model…")
            self._model, self._tokenizer = load_model()
        if not self.job.in_background:  # the first run, before anybody looks
            self._run(prompt, parameters, seed)
            return
        self.job.say("Denoising…")
        self.live.row = _row(prompt)
        self._stage.children = [self.live]

        def on_step(step: StepRecord) -> None:
            self._live_run.add_step(step)
            self.job.pause(_SLOW_MOTION if self.slowly.value else 0)

        self._run(prompt, parameters, seed, on_step)

    def _run(
        self,
        prompt: str,
        parameters: dict[str, Any],
        seed: int,
        on_step: Callable[[StepRecord], None] | None = None,
    ) -> None:
        """Run and show; of a run that fails, what was recorded until then."""
        try:
            with self.faults.planted(self._model):
                trace = run(
                    self._model,
                    self._tokenizer,
                    prompt,
                    parameters=parameters,
                    seed=seed,
                    on_step=on_step,
                    task=self.faults.facts,
                )
        except RunFailedError as error:
            self._show(error.trace, prompt)
            raise
        finally:
            self._stage.children = self.viewer.parts if self.viewer is not None else []
        self._show(trace, prompt)

    def _show(self, trace: Trace, prompt: str) -> None:
        self._trace = trace
        if self.viewer is None:
            self.viewer = Viewer(trace, model=self._model, tokenizer=self._tokenizer)
        else:
            self.viewer.show(trace)
        self.viewer.row = _row(prompt)
        self._stage.children = self.viewer.parts
        self.job.say(run_summary(trace, prompt))


def _row(prompt: str) -> int:
    """Tokens in a line of the answer, if the prompt's task has such lines."""
    try:
        return task_of(prompt).row
    except PromptError:
        return 0
