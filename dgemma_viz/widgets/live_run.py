"""A run that is still being made, in a viewer: its canvas fills step by step.

The kernel is busy with the model all the while, so nothing can be asked of it; but what it sends goes out at once. Each
step goes to the browser (at most some twenty messages a second; steps in between travel together), which follows the
newest step unless the reader has scrubbed back.

Messages that only carry news would be lost on a page that is still loading, so the viewer's state is complete at every
moment without being sent whole each time: new steps go out in ``tail``, which holds all steps since ``data`` was last
sent, and ``data`` absorbs the tail every few steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.trace.model import Trace
from dgemma_viz.views.packing import FIELDS, ID_FIELDS, Packing
from dgemma_viz.views.records import display_texts, words_for

if TYPE_CHECKING:
    from dgemma_viz.widgets.viewer import Viewer

_TAIL_STEPS: Final = 8
_LONGEST: Final = 600
_MARKS = {"complete": "✓", "running": "●", "failed": "✕", "interrupted": "‖"}

WAITING = "Waiting for generate() …"
NOTHING_RAN = "Nothing was generated: call model.generate(...) inside the 'with' block, on this model."


class LiveRun:
    """Puts the steps of a recorder into a viewer.

    Parameters
    ----------
    viewer
        Shows the canvas alone until the run has ended.
    sample
        Which sample of a batch to show while it runs; the last one if there are fewer.
    pause
        Seconds between two messages at least.
    """

    def __init__(self, viewer: Viewer, *, sample: int = 0, pause: float = 0.05) -> None:
        self._viewer = viewer
        self._sample, self._pause = sample, pause
        self._sizes: Packing | None = None
        self._pending: list[StepRecord] = []
        self._sent = -math.inf

    def add_step(self, step: StepRecord) -> None:
        """Take a step from the recorder; the browser gets it now, or together with the next ones."""
        self._sample = min(self._sample, len(step.active) - 1)
        active = bool(step.active[self._sample])
        if step.step_in_canvas == 0:
            self._flush()
            positions, top_k = step.top_k_ids.shape[1:]
            ended = "" if active else f"Sample {self._sample} has ended; the others go on."
            self.begin(positions, top_k, ended, mask_token_id=step.mask_token_id)
            self._sent = -math.inf
            self._say("running", f"denoising canvas {step.canvas} …")
        if active:
            self._pending.append(step)
            if time.monotonic() - self._sent >= self._pause:
                self._flush()

    def finish(self, trace: Trace | None) -> None:
        """Say how the run ended, and show it at its last step; None where nothing ran."""
        self._flush()
        if trace is None:
            self._viewer.clear(NOTHING_RAN)
            self._say("failed", "nothing recorded")
            return
        facts = trace.facts
        reason = f": {facts.error}" if facts.error else ""
        sizes = f"{counted(trace.n_steps, 'step')}, {counted(trace.n_canvases, 'canvas')}"
        notices = "".join(f" ⚠ {notice.text}" for notice in facts.notices)
        self._say(facts.status, f"{facts.status}{reason} · {sizes}{notices}")
        if not trace.n_steps:
            self._viewer.clear(f"The run ended before its first denoising step{reason}.")
            return
        canvas, sample = trace.n_canvases - 1, min(self._sample, trace.n_samples - 1)
        last = max(0, trace.canvas_run(canvas, sample).n_steps - 1)
        self._viewer.show(trace, place={"sample": sample, "canvas": canvas, "step": last})

    def begin(self, positions: int, top_k: int, message: str = "", *, mask_token_id: int | None = None) -> None:
        """Empty the canvas for steps to come; until the trace is shown, all of them count as denoising steps."""
        self._sizes = Packing(positions, top_k)
        viewer = self._viewer
        with viewer.hold_sync():
            if not viewer.live:
                viewer.clear(message)
            viewer.packing, viewer.words = self._sizes.to_json(), words_for(mask_token_id)
            viewer.data, viewer.tail, viewer.texts, viewer.tail_texts = b"", b"", {}, {}
            viewer.message, viewer.live = message, True

    def append(self, steps: Iterable[Mapping[str, npt.NDArray[Any]]], token_text: Callable[[int], str]) -> None:
        """Add steps after :meth:`begin`: arrays named as in the trace, ``(C,)`` or ``(C, K)``."""
        if self._sizes is None:
            raise RuntimeError("append() needs begin() first")
        steps, viewer = list(steps), self._viewer
        records = b"".join(self._sizes.pack_step(step) for step in steps)
        with viewer.hold_sync():
            if len(viewer.tail) >= _TAIL_STEPS * self._sizes.stride:
                viewer.data, viewer.tail = viewer.data + viewer.tail, b""
                viewer.texts, viewer.tail_texts = {**viewer.texts, **viewer.tail_texts}, {}
            ids = (step[name] for step in steps for name in ID_FIELDS)
            known = {**viewer.texts, **viewer.tail_texts}
            new = display_texts(ids, lambda these: [token_text(token) for token in these.tolist()], known)
            viewer.tail, viewer.tail_texts = viewer.tail + records, {**viewer.tail_texts, **new}
            viewer.message = ""

    def _flush(self) -> None:
        if self._pending:
            pending, self._pending = self._pending, []
            arrays = [{name: getattr(step, name)[self._sample] for name in FIELDS} for step in pending]
            self.append(arrays, pending[-1].token_text)
            self._sent = time.monotonic()

    def _say(self, status: str, words: str) -> None:
        self._viewer.status = f"{_MARKS.get(status, '·')} {isolated(visible(words, _LONGEST))}"
