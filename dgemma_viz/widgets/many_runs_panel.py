"""Choose a task, how many prompts and seeds, run them all, and look at the failures by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets as ipw
import numpy as np

from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.labs.single_run import RunSettings, load_model
from dgemma_viz.tiny.tasks import TASKS, sample_example
from dgemma_viz.widgets.background_job import BackgroundJob
from dgemma_viz.widgets.fault_choice import FaultChoice
from dgemma_viz.widgets.panels import close_tree
from dgemma_viz.widgets.run_set_charts import RunSetCharts
from dgemma_viz.widgets.run_set_explorer import RunSetExplorer
from dgemma_viz.work_limits import check_runs, check_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dgemma_viz.analysis.run_set import RunSet
    from dgemma_viz.labs.sabotage.fault import Fault

_MOST_PROMPTS, _MOST_SEEDS = 100, 10
"""A visitor's work is bounded: at most a thousand runs of the bundled model."""

CHARTS_TITLE = "How errors spread, how well confidence is calibrated, how early the answer is there"


class ManyRunsPanel(ipw.VBox):  # type: ignore[misc]
    """Controls, a progress bar, and the explorer of the runs.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma of the caller's own; the bundled one if None, loaded at the first run.
    task
        Task selected at first.
    faults
        Faults that the reader may plant in the model.
    """

    def __init__(
        self, model: Any = None, tokenizer: Any = None, *, task: str = "story", faults: Sequence[Fault] = ()
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._job = BackgroundJob(self._run, tooltip="Run every prompt with every seed")
        self._view: RunSetExplorer | None = None
        wide, small = ipw.Layout(width="calc(100% - 4px)"), ipw.Layout(width="11rem")
        titles = [(entry.title, name) for name, entry in TASKS.items()]
        self._task = ipw.Dropdown(options=titles, value=task, description="Task", layout=wide)
        self._prompts = ipw.BoundedIntText(value=30, min=1, max=_MOST_PROMPTS, description="Prompts", layout=small)
        self._seeds = ipw.BoundedIntText(value=1, min=1, max=_MOST_SEEDS, description="Seeds", layout=small)
        self._steps = ipw.IntText(value=48, description="Steps", layout=small)
        self._faults = FaultChoice(faults)
        self._progress = ipw.IntProgress(value=0, max=1, layout=ipw.Layout(width="100%", visibility="hidden"))
        self._stage = ipw.VBox(layout=ipw.Layout(width="100%", min_width="0", grid_gap="14px"))
        self._more = ipw.Accordion(titles=(CHARTS_TITLE,), children=[ipw.VBox()])
        self._more.observe(lambda _: self._draw_charts(), "selected_index")
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", width="100%", grid_gap="0.25rem 0.75rem")
        controls = ipw.VBox(
            [
                self._task,
                ipw.Box([self._prompts, self._seeds, self._steps], layout=rows),
                self._faults,
                ipw.Box([self._job.run_button, self._job.stop_button], layout=rows),
                self._progress,
            ],
            layout=ipw.Layout(width="100%", max_width="52rem"),
        )
        super().__init__([controls, self._job.status_line, self._stage])

    def start(self) -> None:
        """Start with what the controls say; a job in progress is left alone."""
        self._job.start()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the job in progress has ended, at most ``timeout`` seconds."""
        self._job.wait(timeout)

    @property
    def runs(self) -> RunSet | None:
        """What is looked at; None before the first run."""
        return self._view.runs if self._view else None

    def _run(self) -> None:
        settings = RunSettings(max_denoising_steps=self._steps.value)
        check_steps(self._steps.value)
        check_runs(self._prompts.value * self._seeds.value)
        if self._model is None:
            self._job.say("Loading the model…")
            self._model, self._tokenizer = load_model()
        task, random = TASKS[self._task.value], np.random.default_rng(0)
        prompts = [sample_example(task, random, held_out=True).prompt for _ in range(self._prompts.value)]
        seeds = range(self._seeds.value)
        self._progress.layout.visibility = "visible"
        try:
            with self._faults.planted(self._model):
                runs = run_many(
                    self._model,
                    self._tokenizer,
                    prompts,
                    seeds,
                    settings,
                    references=task.right_answer,
                    progress=self._report,
                )
        finally:
            self._progress.layout.visibility = "hidden"
        self._show(runs)

    def _report(self, done: int, of: int) -> None:
        self._progress.max, self._progress.value = of, done
        self._job.say(f"{done} of {of} runs")
        self._job.pause()

    def _draw_charts(self) -> None:
        """Draw what is opened, and only then: it takes a second or two over a thousand runs."""
        if self._more.selected_index == 0 and self.runs is not None and not self._more.children[0].children:
            self._more.children = [RunSetCharts(self.runs)]

    def _show(self, runs: RunSet) -> None:
        if not len(runs):
            self._job.say("Stopped before the first run had ended.")
            return
        if self._view is None:
            self._view = RunSetExplorer(runs)
            self._stage.children = [self._view, self._more]
        else:
            self._view.show(runs)
        close_tree(self._more.children[0])
        self._more.children = [ipw.VBox()]
        self._draw_charts()
        trouble = f" · {len(runs.problems)} could not be run: {runs.problems[0].what}" if runs.problems else ""
        right = sum(run.right is True for run in runs)
        self._job.say(f"{right} of {len(runs)} answers right, says the checker{trouble}")
