"""How far a run has come, and what came of it: a bar of the steps done out of the most that are possible, then a line.

A canvas that ends early makes the bar jump to the next canvas's part. The words are not announced step by step; the
bar has a name and a value for who asks.
"""

from __future__ import annotations

import time

import ipywidgets as ipw

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.markup import tag
from dgemma_viz.recorders.step_record import StepRecord
from dgemma_viz.tiny.tasks import task_of
from dgemma_viz.trace import Trace

_SECONDS_BETWEEN = 0.1
_LINE = "display:flex;flex-wrap:wrap;align-items:center;gap:2px 10px;font-variant-numeric:tabular-nums"
_BAR = "flex:1 1 160px;max-width:26rem;min-width:0;height:14px;accent-color:#2f74b5"


class RunProgress(ipw.HTML):  # type: ignore[misc]
    """Hidden while nothing runs."""

    def __init__(self) -> None:
        super().__init__(layout=ipw.Layout(visibility="hidden", width="calc(100% - 4px)"))
        self._canvases, self._steps, self._drawn = 1, 1, 0.0

    def begin(self, canvases: int, steps: int) -> None:
        """A run starts, of at most so many canvases and steps a canvas."""
        self._canvases, self._steps, self._drawn = canvases, steps, 0.0
        self._draw(0, "")
        self.layout.visibility = "visible"

    def step(self, step: StepRecord) -> None:
        """A step is done."""
        if time.monotonic() - self._drawn < _SECONDS_BETWEEN:
            return
        done = step.canvas * self._steps + step.step_in_canvas + 1
        self._draw(done, f"canvas {step.canvas}, step {step.step_in_canvas}")
        self._drawn = time.monotonic()

    def end(self) -> None:
        """The run has ended."""
        self.layout.visibility = "hidden"

    def _draw(self, done: int, where: str) -> None:
        most = max(done, self._canvases * self._steps)
        place = f"{where} · " if where else ""
        words = f"{place}at most {counted(self._canvases, 'canvas')} of {counted(self._steps, 'step')}"
        bar = tag("progress", style=_BAR, aria_label="Denoising steps done", max=most, value=done)
        self.value = str(tag("div", bar, tag("span", words), style=_LINE))


def run_summary(trace: Trace, prompt: str) -> str:
    """The line, NOT escaped. The checker of the bundled task judges the answer; if there is none, that is said."""
    output = trace.output_text()
    parts = [output.strip() or "(empty answer)"]
    if trace.facts.status != "complete":
        parts.append(f"stopped after {counted(trace.n_steps, 'step')}: what was recorded until then is below")
        return " · ".join(parts)
    try:
        task = task_of(prompt)
        task.validate_prompt(prompt)
    except DgemmaVizError as error:
        parts.append(f"no program can check this answer. {error}")
    else:
        right = task.check(prompt, output)
        parts.append("✓ right, by the rules of the task" if right else "✗ wrong, by the rules of the task")
    parts.append(f"{counted(trace.n_steps, 'step')}, {tokens_per_forward(trace):.1f} tokens per forward")
    return " · ".join(parts)
