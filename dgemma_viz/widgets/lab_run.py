"""One run of the sampler lab, and how it stands in the history: plain facts, read from its trace.

Where two runs part is :func:`dgemma_viz.analysis.divergence.divergence_of`; a run on another prompt is not called
different, since it would be whatever the settings.

One viewer shows the run that was chosen, or two compared; it is made when first needed, and then shown other runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import ipywidgets as ipw

from dgemma_viz.analysis.comparison import TracePair, pair_of, prompts_differ
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import TraceError
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.plain_text import visible
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import Trace
from dgemma_viz.widgets.panels import alert, close_tree
from dgemma_viz.widgets.viewer import Viewer

_LONGEST_VALUE = 60
_VERDICTS = {True: "✓ right", False: "✗ wrong", None: "not judged"}


@dataclass(frozen=True, eq=False)
class LabRun:
    """A run that was made in the lab.

    Attributes
    ----------
    number
        Counted from 1 in the session.
    made
        When it ended.
    trace
        From :func:`~dgemma_viz.labs.run.run`, which writes sampler and parameters into the task's facts.
    """

    number: int
    made: datetime
    trace: Trace

    @property
    def prompt(self) -> str:
        """The prompt, NOT escaped."""
        return self.trace.facts.task.prompt or ""

    @property
    def changed(self) -> dict[str, Any]:
        """Parameters that differ from the sampler's defaults, by label."""
        task = self.trace.facts.task
        known, given = SAMPLERS[task.sampler].parameters, task.parameters
        return {p.label: given[p.name] for p in known if p.name in given and given[p.name] != p.default}

    @property
    def file_name(self) -> str:
        """What a saved file of it is called."""
        return f"run-{self.number}-{self.trace.facts.task.sampler}-seed-{self.trace.facts.seed}.safetensors"

    @cached_property
    def verdict(self) -> str:
        """Whether the answer is right, or how the run ended before there was one."""
        if self.trace.facts.status != "complete":
            return {"failed": "✕ failed", "interrupted": "‖ cancelled"}.get(self.trace.facts.status, "cut off")
        judged = judge(self.trace)
        return _VERDICTS[judged.answer_right if judged else None]

    def difference(self, other: LabRun) -> tuple[str, str]:
        """Where this run parts from another, in a few words and in a sentence. The other is A."""
        try:
            pair = pair_of(other.trace, self.trace)
        except TraceError as error:
            return "not comparable", str(error)
        if prompts_differ(*pair.traces, 0):
            return "another prompt", "The prompts differ, so the runs would differ whatever the settings."
        first = divergence_of(pair)
        if first is None:
            return "none", "Everything that was compared is the same."
        return f"canvas {first.canvas}, step {first.step}", f"{first.cause.value}: {first.what}"

    def row(self, other: LabRun | None) -> dict[str, Any]:
        """Texts of its row in the history; ``other`` is the run that it is held against."""
        facts, rate = self.trace.facts, tokens_per_forward(self.trace)
        task = TASKS.get(facts.task.name)
        where, why = self.difference(other) if other is not None else ("", "")
        return {
            "number": self.number,
            "time": f"{self.made:%H:%M:%S}",
            "task": task.title if task else "own prompt",
            "prompt": visible(self.prompt),
            "sampler": SAMPLERS[facts.task.sampler].title,
            "changed": [f"{label} {_value(value)}" for label, value in self.changed.items()],
            "seed": "unknown" if facts.seed is None else str(facts.seed),
            "verdict": self.verdict,
            "error": visible(facts.error or ""),
            "steps": str(self.trace.n_steps),
            "rate": "–" if math.isnan(rate) else f"{rate:.2g}",
            "against": other.number if other is not None else 0,
            "where": where,
            "why": visible(why),
        }


def _value(value: Any) -> str:
    return "off" if value is None else f"{value:.6g}" if isinstance(value, float) else visible(value, _LONGEST_VALUE)


class LabStage(ipw.VBox):  # type: ignore[misc]
    """Empty until :meth:`show` is called.

    Parameters
    ----------
    model
        Gives model and tokenizer of the runs, which are loaded by then.

    Attributes
    ----------
    viewer
        The view; None until first needed.
    problem
        Why two runs cannot be compared, as HTML; empty if they can.
    """

    def __init__(self, model: Callable[[], tuple[Any, Any]]) -> None:
        self._model = model
        self.viewer: Viewer | None = None
        self.problem = ipw.HTML()
        self._numbers: tuple[int, ...] = ()
        super().__init__([self.problem], layout=ipw.Layout(width="100%", min_width="0"))

    def show(self, runs: Sequence[LabRun]) -> None:
        """Show one run, two side by side (A first), or nothing; what is shown already is left alone."""
        numbers = tuple(run.number for run in runs)
        if numbers == self._numbers:
            return
        self._numbers, self.problem.value = numbers, ""
        shown: Trace | TracePair | None = runs[0].trace if runs else None
        if len(runs) > 1:
            a, b = runs
            try:
                shown = pair_of(a.trace, b.trace)
            except TraceError as error:
                self.problem.value = alert(f"Runs {a.number} and {b.number} cannot be compared: {error}")
                shown = None
        if shown is None:
            self.children = [self.problem]
            return
        if self.viewer is None:
            model, tokenizer = self._model()
            self.viewer = Viewer(shown, model=model, tokenizer=tokenizer)
        else:
            self.viewer.show(shown)
        self.children = [self.problem, *self.viewer.parts]

    def close(self) -> None:
        """Close the view."""
        if self.viewer is not None:
            self.viewer.close()
        close_tree(self, closing=super().close)
