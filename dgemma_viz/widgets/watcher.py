"""Watch a model denoise: a token canvas that fills while ``generate()`` runs, and can be scrubbed afterwards.

The kernel is busy with the model all the while, so nothing can be asked of it; but what it sends goes out at once. The
recorder calls back after each denoising step, the step goes to the browser (at most some twenty messages a second;
steps in between travel together), and the browser follows the newest step unless the reader has scrubbed back. Watching
is recording plus a view: the result of ``generate()`` is bit for bit what it is without.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Self

import ipywidgets as widgets

from dgemma_viz.widgets.packing import FIELDS
from dgemma_viz.widgets.panels import close_tree
from dgemma_viz.widgets.run_choice import RunChoice
from dgemma_viz.widgets.run_header import readable
from dgemma_viz.widgets.token_canvas import TokenCanvas

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from dgemma_viz.recorders import Recording
    from dgemma_viz.recorders.step_record import StepRecord
    from dgemma_viz.trace.model import Trace

_SECONDS_BETWEEN_MESSAGES: Final = 0.05
_MARKS = {"complete": "✓", "running": "●", "failed": "✕", "interrupted": "‖"}

WAITING = "Waiting for generate() …"
NOTHING_RAN = "Nothing was generated: call model.generate(...) inside the 'with' block, on this model."


class LiveCanvas(widgets.VBox):  # type: ignore[misc]
    """A status line and a token canvas that grows by :meth:`add_step`; :meth:`finish` makes it scrubbable for good.

    Attributes
    ----------
    token_canvas
        The view.

    Parameters
    ----------
    sample
        Which sample of a batch to show while it runs; the last one if there are fewer.
    """

    def __init__(self, *, sample: int = 0) -> None:
        self.token_canvas = TokenCanvas(message=WAITING)
        self._sample = sample
        self._pending: list[StepRecord] = []
        self._sent = 0.0
        self._status = widgets.HTML()
        layout = widgets.Layout(width="100%", min_width="0", grid_gap="8px")
        super().__init__([self._status, self.token_canvas], layout=layout)

    def add_step(self, step: StepRecord) -> None:
        """Take a step from the recorder; the browser gets it now, or together with the next ones."""
        self._sample = min(self._sample, len(step.active) - 1)
        active = bool(step.active[self._sample])
        if step.step_in_canvas == 0:
            self._flush()
            positions, top_k = step.top_k_ids.shape[1:]
            ended = "" if active else f"Sample {self._sample} has ended; the others go on."
            self.token_canvas.begin(positions, top_k, ended, mask_token_id=step.mask_token_id)
            self._sent = 0.0
            self._say("running", f"denoising canvas {step.canvas} …")
        if active:
            self._pending.append(step)
            if time.monotonic() - self._sent >= _SECONDS_BETWEEN_MESSAGES:
                self._flush()

    def finish(self, trace: Trace | None) -> None:
        """Show how the run ended and make its steps scrubbable; None where nothing ran."""
        self._flush()
        self.token_canvas.live = False
        if trace is None:
            self.token_canvas.message = NOTHING_RAN
            self._say("failed", "nothing recorded")
            return
        facts = trace.facts
        reason = f": {facts.error}" if facts.error else ""
        sizes = f"{trace.n_steps} steps, {trace.n_canvases} canvas{'es' * (trace.n_canvases != 1)}"
        self._say(facts.status, f"{facts.status}{reason} · {sizes}{''.join(f' ⚠ {text}' for text in facts.warnings)}")
        if trace.n_steps:
            self._offer(trace)
        else:
            self.token_canvas.message = f"The run ended before its first denoising step{reason}."

    def close(self) -> None:
        """Close the view and everything in it."""
        close_tree(self, closing=super().close)

    def _offer(self, trace: Trace) -> None:
        choice = RunChoice(trace.n_canvases, trace.n_samples)
        choice.canvas.value, choice.sample.value = trace.n_canvases - 1, min(self._sample, trace.n_samples - 1)

        def show(_change: object = None) -> None:
            run = trace.canvas_run(choice.canvas.value, choice.sample.value)
            with self.token_canvas.hold_sync():
                self.token_canvas.step = max(0, run.n_steps - 1)
                self.token_canvas.show(run, "" if run.n_steps else "No denoising step ran for this sample here.")

        show()
        choice.canvas.observe(show, "value")
        choice.sample.observe(show, "value")
        self.children = [self._status, choice, self.token_canvas]

    def _flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, []
            arrays = [{name: getattr(step, name)[self._sample] for name in FIELDS} for step in pending]
            self.token_canvas.append(arrays, pending[-1].token_text)
            self._sent = time.monotonic()

    def _say(self, status: str, words: str) -> None:
        mark = _MARKS.get(status, "·")
        self._status.value = f"<div role='status'><strong>{mark}</strong> {readable(words)}</div>"


class Watching:
    """What ``with dv.watch(model, tokenizer) as watching:`` gives.

    Attributes
    ----------
    view
        The :class:`LiveCanvas`; displayed on entry, or put into the container.
    recording
        The recording underneath.
    """

    def __init__(self, recording: Recording, view: LiveCanvas, container: widgets.Box | None) -> None:
        self.recording = recording
        self.view = view
        self._container = container

    @property
    def trace(self) -> Trace:
        """Trace of the newest run.

        Raises
        ------
        RecordingError
            Nothing was generated in the block.
        """
        return self.recording.trace

    @property
    def traces(self) -> list[Trace]:
        """Traces of all runs of the block."""
        return self.recording.traces

    def __enter__(self) -> Self:
        self.recording.__enter__()
        if self._container is not None:
            self._container.children = [*self._container.children, self.view]
        else:
            from IPython.display import display

            display(self.view)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.recording.__exit__(kind, error, trace)
        traces = self.traces
        self.view.finish(traces[-1] if traces else None)


def watch(
    model: Any,
    tokenizer: Any = None,
    *,
    top_k: int = 8,
    sample: int = 0,
    container: widgets.Box | None = None,
    task: Mapping[str, Any] | None = None,
) -> Watching:
    """Show the canvas while ``model.generate()`` runs in a ``with`` block, without changing its result.

    Parameters
    ----------
    model, tokenizer, top_k, task
        As for :func:`dgemma_viz.record`.
    sample
        Which sample of a batch to show while it runs; afterwards any can be chosen.
    container
        Box to add the view to; None displays it where the block stands.

    Examples
    --------
    >>> with dv.watch(model, tokenizer) as watching:
    ...     model.generate(**inputs)
    >>> dv.explore(watching.trace)
    """
    from dgemma_viz.recorders import record

    view = LiveCanvas(sample=sample)
    return Watching(record(model, tokenizer, top_k=top_k, on_step=view.add_step, task=task), view, container)
