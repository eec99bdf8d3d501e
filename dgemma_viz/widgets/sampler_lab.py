"""The sampler lab: choose a sampler and its parameters, run, see the run beside the one before, keep them all.

State and wiring only. A run is :func:`dgemma_viz.labs.run.run` as a background job, so that there is one
at a time and *Cancel* ends it within one denoising step. What is shown follows from the history alone: the run that is
opened there, or else the two that are compared. The live canvas stands above them while a run lasts.

With *Run on every change* a changed control stops the run in progress, which is then out of date and not kept, and
starts the next once the controls have come to rest (:mod:`dgemma_viz.widgets.background_job`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from typing import Any

import ipywidgets as ipw

from dgemma_viz.errors import RecordingError, RunFailedError
from dgemma_viz.labs.models import load_model
from dgemma_viz.labs.run import checked_seed, run
from dgemma_viz.labs.samplers import DENOISERS, SAMPLERS, Noise, noise_of, sampler_named
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace import Trace
from dgemma_viz.widgets.background_job import BackgroundJob, Rerun
from dgemma_viz.widgets.lab_run import LabRun, LabStage
from dgemma_viz.widgets.live_run import LiveRun
from dgemma_viz.widgets.panels import close_tree, columns
from dgemma_viz.widgets.prompt_chooser import PromptChooser
from dgemma_viz.widgets.run_history import RunHistory
from dgemma_viz.widgets.run_progress import RunProgress, run_summary
from dgemma_viz.widgets.sampler_controls import SamplerControls
from dgemma_viz.widgets.viewer import Viewer
from dgemma_viz.work_limits import check_steps

_SLOW_MOTION = 0.25
"""Seconds that a step is left on screen in slow motion."""
_SHORT = 0.4
"""Seconds. A run that is over sooner shows no live canvas, so that the page does not jump."""
_LARGEST_RANDOM_SEED = 9999


class SamplerLab(ipw.VBox):  # type: ignore[misc]
    """Controls, history, and the views of one run or of two compared.

    Parameters
    ----------
    model, tokenizer
        A model of the caller's own, or the folder or hub id of a DiffusionGemma: then the samplers of its kind of noise
        are offered. If None, all samplers are, on the bundled models. What is not loaded yet is loaded at the first
        run.
    task
        Task selected at first, a key of ``dgemma_viz.tiny.tasks.TASKS``.
    sampler, parameters
        Sampler selected at first, a key of ``dgemma_viz.labs.samplers.SAMPLERS`` (None: the first that fits), and its
        parameters that differ from their defaults.
    seed
        Of the first run.
    autorun
        Run once while the lab is built, so that a page never opens empty.

    Attributes
    ----------
    prompts, controls, seed, slowly, every_change
        What is asked for: task and prompt, the sampler with its parameters, seed, and whether each step is left on
        screen for a while, or every change runs at once.
    history
        Table of the runs.
    job, progress
        Buttons and status line of the run in progress, and how far it has come.
    live
        Shows the run in progress, canvas alone.
    stage
        Shows what the history has chosen.

    Raises
    ------
    SettingError
        There is no such task or sampler, it needs another kind of model, or a parameter is unknown or out of range.
    """

    def __init__(
        self,
        model: Any = None,
        tokenizer: Any = None,
        *,
        task: str = "sudoku",
        sampler: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        seed: int = 0,
        autorun: bool = True,
    ) -> None:
        self.job = BackgroundJob(self._record, tooltip="Denoise this prompt with these settings")
        self._rerun = Rerun(self.job)
        self._name = model if isinstance(model, str) else None
        self._models: dict[Noise, tuple[Any, Any]] = {}
        own: Noise | None = "uniform" if self._name is not None else None
        if model is not None and self._name is None:
            own = noise_of(model)
            self._models[own] = (model, tokenizer)
        self._showing = threading.RLock()  # a run ends in its own thread
        self.job.stop_button.description = "Cancel"
        self.prompts = PromptChooser(task)
        offered = tuple(name for name in DENOISERS if own in (None, SAMPLERS[name].noise))
        sampler = sampler or offered[0]
        if own and sampler_named(sampler).noise != own:
            SAMPLERS[sampler].need_model(model)
        self.controls = SamplerControls(sampler, parameters, offered)
        self.history = RunHistory()
        self.progress = RunProgress()
        self.live = Viewer(views="canvas", shows="noised", layout=ipw.Layout(min_width="0", display="none"))
        self._live_run = LiveRun(self.live)
        self.stage = LabStage(lambda: self._loaded(own or "uniform"))
        layout = ipw.Layout(width="100%", min_width="0", grid_gap="8px")
        super().__init__([*self._build_controls(seed), self.live, self.stage], layout=layout)
        self.add_class("dgv-sampler-lab")
        self.history.observe(lambda _: self._show(), ["a", "b", "opened"])
        if autorun:
            self.job.run_here()

    @property
    def runs(self) -> tuple[LabRun, ...]:
        """Runs in the history, oldest first."""
        return self.history.runs

    @property
    def trace(self) -> Trace:
        """Trace of the newest run in the history.

        Raises
        ------
        RecordingError
            There is none.
        """
        if not self.runs:
            raise RecordingError("nothing was recorded yet: press Run, or call lab.start() and lab.wait()")
        return self.runs[-1].trace

    def start(self) -> None:
        """Start a run with what the controls say; a run in progress is left alone."""
        self.job.start()

    def stop(self) -> None:
        """End the run in progress within one denoising step; what was recorded so far is kept."""
        self._rerun.forget()
        self.job.stop()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the run in progress has ended, and one that a change has asked for; at most ``timeout`` each."""
        self._rerun.wait(timeout)
        self.job.wait(timeout)

    def close(self) -> None:
        """Stop, and close every view."""
        self.stop()
        self.job.wait()
        close_tree(self, closing=super().close)

    # -- building ------------------------------------------------------------------------------------------------

    def _build_controls(self, seed: int) -> list[ipw.Widget]:
        self.seed = ipw.IntText(value=seed, description="Seed", layout=ipw.Layout(width="11rem"))
        another_seed = ipw.Button(description="Another seed", tooltip="Draw a seed: other noise, other candidates")
        self.slowly = _checkbox("Slow motion", f"Wait {_SLOW_MOTION:g} s after each step; the result is the same")
        self.every_change = _checkbox("Run on every change", "Run anew whenever one of these controls changes")
        another_seed.on_click(lambda _: setattr(self.seed, "value", random.randint(0, _LARGEST_RANDOM_SEED)))  # noqa: S311
        self.job.stop_button.on_click(lambda _: self._rerun.forget())
        for control, name in (
            (self.prompts.prompt, "value"),
            (self.seed, "value"),
            (self.controls, "values"),
            (self.controls, "sampler"),
        ):
            control.observe(lambda _: self._changed(), name)
        self.every_change.observe(lambda change: None if change["new"] else self._rerun.forget(), "value")
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", width="100%", grid_gap="0.25rem 0.75rem")
        run = [self.job.run_button, self.job.stop_button, self.every_change, self.slowly]
        right = [
            self.prompts,
            ipw.Box([self.seed, another_seed, self.prompts.another], layout=rows),
            ipw.Box(run, layout=rows),
            self.progress,
            self.job.status_line,
        ]
        asked = ipw.VBox(right, layout=ipw.Layout(min_width="0", width="100%", grid_gap="4px"))
        return [columns(self.controls, asked, narrowest="480px"), self.history]

    def _changed(self) -> None:
        if self.every_change.value:
            self._rerun.soon()

    # -- running -------------------------------------------------------------------------------------------------

    def _record(self) -> None:
        prompt, sampler, values = self.prompts.checked(), self.controls.sampler, self.controls.checked()
        check_steps(values["max_denoising_steps"])
        seed = checked_seed(self.seed.value)
        SAMPLERS[sampler].need_library()
        noise = SAMPLERS[sampler].noise or "uniform"
        if noise not in self._models:
            self.job.say("Loading the model…")
        model, tokenizer = self._loaded(noise)
        self.job.pause()
        self.job.say("Denoising…")
        self.progress.begin(_canvases(model), values["max_denoising_steps"])
        started = time.monotonic()

        def on_step(step: StepRecord) -> None:
            self.progress.step(step)
            if not self.job.in_background:  # the first run, before anybody looks
                return
            self._live_run.add_step(step)
            if self.slowly.value or time.monotonic() - started > _SHORT:
                self.live.layout.display = ""
            self.job.pause(_SLOW_MOTION if self.slowly.value else 0)

        try:
            trace = run(model, tokenizer, prompt, sampler, values, seed=seed, on_step=on_step)
        except RunFailedError as error:
            self._keep(error.trace, prompt)
            raise
        finally:
            self.progress.end()
            self.live.layout.display = "none"
        if trace.facts.status == "interrupted" and self._rerun.pending:
            return
        self._keep(trace, prompt)

    def _loaded(self, noise: Noise) -> tuple[Any, Any]:
        """Model and tokenizer of a kind of noise, loaded when first needed."""
        if noise not in self._models:
            from dgemma_viz.tiny import load_tiny

            self._models[noise] = load_tiny("masked") if noise == "mask" else load_model(self._name)
        return self._models[noise]

    def _keep(self, trace: Trace, prompt: str) -> None:
        with self._showing:
            self.history.add(trace)
            self.job.say(run_summary(trace, prompt))

    def _show(self) -> None:
        """Show what the history has chosen."""
        with self._showing:
            history = self.history
            opened, a, b = (history.run(number) for number in (history.opened, history.a, history.b))
            self.stage.show([opened] if opened else [run for run in (a, b) if run])


def _checkbox(description: str, tooltip: str) -> ipw.Checkbox:
    return ipw.Checkbox(description=description, tooltip=tooltip, indent=False, layout=ipw.Layout(width="auto"))


def _canvases(model: Any) -> int:
    """The most canvases that a run can fill; a mask-token model fills one block."""
    if noise_of(model) == "mask":
        return 1
    length: int = model.config.canvas_length
    most: int = model.generation_config.max_new_tokens or length
    return -(-most // length)
