"""Choose a task and a prompt, run the model, explore the run: the bundled model's front door.

State and wiring only. The run itself is :func:`dgemma_viz.labs.single_run.record_run` in a thread of its own, so that
the page stays alive: the token canvas paints each step as it happens, and *Stop* ends the run within one denoising step
and keeps its trace so far. Every mistake ends as a message in the panel, never as a traceback, and the panel stays
usable.
"""

from __future__ import annotations

import html
import logging
import threading
from typing import TYPE_CHECKING, Any

import ipywidgets as ipw
import numpy as np

from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import DgemmaVizError, RecordingError
from dgemma_viz.labs.single_run import RunSettings, load_model, record_run
from dgemma_viz.tiny.tasks import TASKS, sample_example, task_of
from dgemma_viz.widgets.explorer import Explorer
from dgemma_viz.widgets.watcher import LiveCanvas

if TYPE_CHECKING:
    from dgemma_viz.recorders.step_record import StepRecord
    from dgemma_viz.trace import Trace

_LONGEST_PROMPT = 2000
_SLOW_MOTION = 0.25
"""Seconds that a step is left on screen in slow motion: the bundled model is too fast to follow by eye."""
_ALERT = "padding:.55rem .8rem;border-left:4px solid #b3261e;background:rgba(179,38,30,.1);border-radius:2px"


class _StoppedError(KeyboardInterrupt):
    """Raised inside a run when the reader presses Stop: recorded as an interrupt, like Ctrl-C."""


class RunPanel(ipw.VBox):  # type: ignore[misc]
    """Controls, the live canvas, and the explorer of the last run.

    Parameters
    ----------
    model, tokenizer
        A DiffusionGemma of the caller's own; the bundled one if None, loaded at the first run.
    task, example
        Task selected at first, a key of ``dgemma_viz.tiny.tasks.TASKS``, and which of its example prompts.
    autorun
        Run the first example while the panel is built, so that a page never opens empty.
    """

    def __init__(
        self,
        model: Any = None,
        tokenizer: Any = None,
        *,
        task: str = "sudoku",
        example: int = 0,
        autorun: bool = True,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._trace: Trace | None = None
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        # One live canvas and one explorer serve all runs: views closed while a page still builds them fail there.
        self._live = LiveCanvas()
        self._live.token_canvas.shows = "noised"
        self._explorer: Explorer | None = None
        self._examples_drawn = 0
        self._build_controls(task)
        self._prompt.value = TASKS[task].example_prompts[example]
        self._status = ipw.HTML().add_class("dgv-status")
        self._stage = ipw.VBox()
        super().__init__([self._controls, self._status, self._stage])
        self.add_class("dgv-run-panel")
        if autorun:
            self._run()

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
        if self._thread is not None and self._thread.is_alive():
            return
        self._stop.clear()
        self._run_button.disabled = True
        self._stop_button.disabled = False
        self._say("Running…")
        self._thread = threading.Thread(target=self._run, name="dgemma_viz run", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the run in progress within one denoising step; what was recorded so far is shown."""
        self._stop.set()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until the run in progress has ended, at most ``timeout`` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)

    # -- building ------------------------------------------------------------------------------------------------

    def _build_controls(self, task: str) -> None:
        wide = ipw.Layout(width="calc(100% - 4px)")  # ipywidgets puts 2 px around everything
        self._task = ipw.Dropdown(
            options=[(entry.title, name) for name, entry in TASKS.items()], value=task, description="Task", layout=wide
        )
        self._prompt = ipw.Textarea(description="Prompt", rows=2, layout=wide)
        self._another = ipw.Button(description="Another example", tooltip="A prompt that the model was not trained on")
        self._about = ipw.HTML()
        self._seed = ipw.IntText(value=0, description="Seed", layout=ipw.Layout(width="11rem"))
        self._steps = ipw.IntText(value=48, description="Steps", layout=ipw.Layout(width="11rem"))
        self._bound = ipw.FloatLogSlider(
            value=0.1,
            min=-2,
            max=2,
            step=0.1,
            description="Entropy bound",
            readout_format=".2g",
            style={"description_width": "initial"},
            layout=ipw.Layout(width="22rem", max_width="100%"),
        )
        self._slowly = ipw.Checkbox(
            value=True,
            description="Slow motion",
            tooltip=f"Wait {_SLOW_MOTION:g} s after each step, to follow it by eye; the result is the same",
            indent=False,
            layout=ipw.Layout(width="8rem"),
        )
        self._run_button = ipw.Button(description="Run", button_style="primary", tooltip="Denoise this prompt")
        self._stop_button = ipw.Button(description="Stop", disabled=True, tooltip="Stop within one denoising step")
        self._run_button.on_click(lambda _: self.start())
        self._stop_button.on_click(lambda _: self.stop())
        self._another.on_click(lambda _: self._draw_example())
        self._task.observe(lambda _: self._choose_task(), "value")
        rows = ipw.Layout(flex_flow="row wrap", align_items="center", width="100%", grid_gap="0.25rem 0.75rem")
        self._controls = ipw.VBox(
            [
                self._task,
                self._about,
                self._prompt,
                ipw.Box([self._seed, self._steps, self._bound], layout=rows),
                ipw.Box([self._run_button, self._stop_button, self._another, self._slowly], layout=rows),
            ],
            layout=ipw.Layout(width="100%", max_width="52rem"),
        )
        self._choose_task()

    def _choose_task(self) -> None:
        task = TASKS[self._task.value]
        self._about.value = f"<div style='margin-left:6rem;opacity:.85'>{html.escape(task.description)}</div>"
        self._prompt.value = task.example_prompts[0]

    def _draw_example(self) -> None:
        self._examples_drawn += 1
        random = np.random.default_rng(self._examples_drawn)
        self._prompt.value = sample_example(TASKS[self._task.value], random, held_out=True).prompt

    # -- running -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            self._record()
        except DgemmaVizError as error:
            self._complain(str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("a run failed")
            self._complain(f"The run failed with {type(error).__name__}: {error}")
        finally:
            self._run_button.disabled = False
            self._stop_button.disabled = True

    def _record(self) -> None:
        prompt = self._prompt.value
        if len(prompt) > _LONGEST_PROMPT:
            raise DgemmaVizError(f"The prompt has {len(prompt):,} characters; the most is {_LONGEST_PROMPT:,}.")
        settings = RunSettings(
            seed=self._seed.value, max_denoising_steps=self._steps.value, entropy_bound=self._bound.value
        )
        if self._model is None:
            self._say("Loading the model…")
            self._model, self._tokenizer = load_model()
        if self._thread is None:  # the first run, before anybody looks
            self._show(record_run(self._model, self._tokenizer, prompt, settings), prompt)
            return
        self._say("Denoising…")
        live = self._live
        self._stage.children = [live]

        def on_step(step: StepRecord) -> None:
            live.add_step(step)
            if self._stop.wait(_SLOW_MOTION if self._slowly.value else 0):
                raise _StoppedError

        try:
            trace = record_run(self._model, self._tokenizer, prompt, settings, on_step=on_step)
        finally:
            self._stage.children = [self._explorer] if self._explorer is not None else []
        self._show(trace, prompt)

    def _show(self, trace: Trace, prompt: str) -> None:
        self._trace = trace
        if self._explorer is None:
            self._explorer = Explorer(trace)
        else:
            self._explorer.show(trace)
        self._stage.children = [self._explorer]
        self._say(self._summary(trace, prompt))

    def _summary(self, trace: Trace, prompt: str) -> str:
        output = trace.output_text()
        parts = [f"<b>{html.escape(output.strip()) or '(empty answer)'}</b>"]
        if trace.facts.status != "complete":
            parts.append(f"stopped after {trace.n_steps} steps: what was recorded until then is below")
        else:
            try:
                task = task_of(prompt)
                task.validate_prompt(prompt)
            except DgemmaVizError as error:
                parts.append(f"no program can check this answer. {html.escape(str(error))}")
            else:
                right = task.check(prompt, output)
                parts.append("✓ right, says the checker" if right else "✗ wrong, says the checker")
            parts.append(f"{trace.n_steps} steps, {tokens_per_forward(trace):.1f} tokens per forward")
        return " · ".join(parts)

    def _say(self, message: str) -> None:
        self._status.value = f"<div role='status' aria-live='polite' style='margin:.5rem 0'>{message}</div>"

    def _complain(self, message: str) -> None:
        self._status.value = f"<div role='alert' style='{_ALERT}'>{html.escape(message)}</div>"
