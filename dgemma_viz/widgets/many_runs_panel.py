"""Choose a task, how many prompts and seeds, run them all, and look at the failures by kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import ipywidgets as ipw
import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.labs.models import load_model
from dgemma_viz.labs.sabotage.fault import Fault
from dgemma_viz.labs.samplers.entropy_bound import STEPS
from dgemma_viz.tiny.tasks import TASKS, sample_example
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.fault_choice import FaultChoice
from dgemma_viz.widgets.panels import close_tree
from dgemma_viz.widgets.run_set_charts import RunSetCharts
from dgemma_viz.widgets.run_set_explorer import RunSetExplorer
from dgemma_viz.work_limits import check_runs, check_steps

_MOST_PROMPTS, _MOST_SEEDS = 100, 10
"""A visitor's work is bounded: at most a thousand runs of the bundled model."""

CHARTS_TITLE = "How errors spread, how well confidence is calibrated, how early the answer is there"


class ManyRunsPanel(ipw.VBox):  # type: ignore[misc]
    """Controls, a progress bar, and the runs to click through.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma of the caller's own; the bundled one if None, loaded at the first run.
    task
        Task selected at first.
    faults
        Faults that the reader may plant in the model.

    Attributes
    ----------
    task, prompts, seeds, steps, faults
        Controls.
    job, progress
        Buttons and status line of the runs in progress, and how many are done.
    explorer
        Shows the runs; None before the first.
    charts
        Charts over all runs, drawn when they are unfolded.
    """

    def __init__(
        self, model: Any = None, tokenizer: Any = None, *, task: str = "gifts", faults: Sequence[Fault] = ()
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self.job = BackgroundJob(self._run, tooltip="Run every prompt with every seed")
        self.explorer: RunSetExplorer | None = None
        wide, small = ipw.Layout(width="calc(100% - 4px)"), ipw.Layout(width="11rem")
        titles = [(entry.title, name) for name, entry in TASKS.items()]
        self.task = ipw.Dropdown(options=titles, value=task, description="Task", layout=wide)
        self.prompts = ipw.BoundedIntText(value=30, min=1, max=_MOST_PROMPTS, description="Prompts", layout=small)
        self.seeds = ipw.BoundedIntText(value=1, min=1, max=_MOST_SEEDS, description="Seeds", layout=small)
        self.steps = ipw.IntText(value=48, description="Steps", layout=small)
        self.faults = FaultChoice(faults)
        self.progress = ipw.IntProgress(value=0, max=1, layout=ipw.Layout(width="100%", visibility="hidden"))
        self._stage = ipw.VBox(layout=ipw.Layout(width="100%", min_width="0", grid_gap="14px"))
        self.charts = ipw.Accordion(titles=(CHARTS_TITLE,), children=[ipw.VBox()])
        self.charts.observe(lambda _: self._draw_charts(), "selected_index")
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", width="100%", grid_gap="0.25rem 0.75rem")
        controls = ipw.VBox(
            [
                self.task,
                ipw.Box([self.prompts, self.seeds, self.steps], layout=rows),
                self.faults,
                ipw.Box([self.job.run_button, self.job.stop_button], layout=rows),
                self.progress,
            ],
            layout=ipw.Layout(width="100%", max_width="52rem"),
        )
        super().__init__([controls, self.job.status_line, self._stage])

    def start(self) -> None:
        """Start with what the controls say; a job in progress is left alone."""
        self.job.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job in progress has ended, at most ``timeout`` seconds."""
        self.job.wait(timeout)

    @property
    def runs(self) -> RunSet | None:
        """What is looked at; None before the first run."""
        return self.explorer.runs if self.explorer else None

    def _run(self) -> None:
        parameters = {STEPS.name: STEPS.checked(self.steps.value)}
        check_steps(self.steps.value)
        check_runs(self.prompts.value * self.seeds.value)
        if self._model is None:
            self.job.say("Loading the model…")
            self._model, self._tokenizer = load_model()
        task, random = TASKS[self.task.value], np.random.default_rng(0)
        prompts = [sample_example(task, random, held_out=True).prompt for _ in range(self.prompts.value)]
        seeds = range(self.seeds.value)
        self.progress.layout.visibility = "visible"
        try:
            with self.faults.planted(self._model):
                runs = run_many(
                    self._model,
                    self._tokenizer,
                    prompts,
                    seeds,
                    parameters=parameters,
                    reference=task.right_answer,
                    progress=self._report,
                )
        finally:
            self.progress.layout.visibility = "hidden"
        self._show(runs)

    def _report(self, done: int, of: int) -> None:
        self.progress.max, self.progress.value = of, done
        self.job.say(f"{done} of {counted(of, 'run')}")
        self.job.pause()

    def _draw_charts(self) -> None:
        """Draw what is opened, and only then: it takes a second or two over a thousand runs."""
        if self.charts.selected_index == 0 and self.runs is not None and not self.charts.children[0].children:
            self.charts.children = [RunSetCharts(self.runs)]

    def _show(self, runs: RunSet) -> None:
        if not len(runs):
            self.job.say("Stopped before the first run had ended.")
            return
        if self.explorer is None:
            self.explorer = RunSetExplorer(runs)
            self._stage.children = [self.explorer, self.charts]
        else:
            self.explorer.show(runs)
        close_tree(self.charts.children[0])
        self.charts.children = [ipw.VBox()]
        self._draw_charts()
        trouble = f" · {len(runs.problems)} could not be run: {runs.problems[0].what}" if runs.problems else ""
        right = sum(run.right is True for run in runs)
        self.job.say(f"{right} of {len(runs)} answers right, by the rules of the task{trouble}")
