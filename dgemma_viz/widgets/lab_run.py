"""One run of the sampler lab, and how it stands in the history: plain facts, read from its trace.

Where two runs part is :func:`dgemma_viz.analysis.divergence.divergence_of`; a run on another prompt is not called
different, since it would be whatever the settings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from dgemma_viz.analysis.comparison import pair_of, prompts_differ
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import TraceError
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.plain_text import visible
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import Trace

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
