"""``diagnose(trace)``: every rule over one trace, and the findings worst first.

>>> diagnosis = dgemma_viz.diagnose(recording.trace, reference="3241/1432/4123/2314")
>>> diagnosis.table()          # a pandas DataFrame; in a notebook ``diagnosis`` alone shows a table
>>> diagnosis.not_applied      # rules that could not be applied, and why

A finding is evidence read from the recorded numbers (derived, not measured). What the thresholds are and why stands
beside each rule in this package; how often each rule finds its fault and how often it cries wolf is printed by
``python benchmarks/diagnosis.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgemma_viz.analysis.reference import Judgement, Reference, judge
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.diagnosis.finding import Finding
from dgemma_viz.diagnosis.rules import RULES
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What :func:`diagnose` found.

    Attributes
    ----------
    trace
        The trace.
    findings
        Worst first; of equal severity causes before effects, then by sample, canvas and step.
    judgements
        One per sample: its output against the reference, or None without one.
    not_applied
        ``(rule, reason)`` of each rule that this trace does not allow to be applied.
    """

    trace: Trace
    findings: tuple[Finding, ...]
    judgements: tuple[Judgement | None, ...]
    not_applied: tuple[tuple[str, str], ...]

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __bool__(self) -> bool:
        """A diagnosis without findings is a diagnosis all the same."""
        return True

    def table(self) -> pd.DataFrame:
        """One row per finding; see :func:`dgemma_viz.diagnosis.report.as_table`."""
        from dgemma_viz.diagnosis.report import as_table

        return as_table(self)

    def __str__(self) -> str:
        from dgemma_viz.diagnosis.report import as_text

        return as_text(self)

    def __repr__(self) -> str:
        return f"<Diagnosis: {len(self.findings)} finding(s) in {self.trace!r}>"

    def _repr_html_(self) -> str:
        from dgemma_viz.diagnosis.report import as_html

        return as_html(self)


def diagnose(trace: TraceLike, reference: Reference | None = None) -> Diagnosis:
    """Look for what went wrong in a run.

    Copes with runs that failed or were interrupted, with batches, several canvases, NaN and runs without a single step;
    a rule that lacks what it needs is listed in ``not_applied`` rather than passed.

    Parameters
    ----------
    trace
        Recorded run, the path of a trace file, or what holds a trace, such as a recording.
    reference
        The right answer, or ``f(prompt, completion)`` that returns it or says whether the completion is right; the same
        for all samples. None takes ``trace.facts.task.reference``; without that, rules that need one are not
        applied.

    Raises
    ------
    TraceError
        Something else was given, or the file cannot be read.
    SettingError
        The reference is of a wrong type, or its function failed.
    """
    trace = as_trace(trace, "diagnose()")
    judgements = tuple(judge(trace, reference, sample) for sample in range(trace.n_samples))
    case = RunCase(trace, judgements)
    findings: list[Finding] = []
    not_applied: list[tuple[str, str]] = []
    for rule in RULES:
        if reason := rule.lacking(case):
            not_applied.append((rule.name, reason))
        else:
            findings += rule.findings(case)
    order = {rule.name: index for index, rule in enumerate(RULES)}
    findings.sort(key=lambda found: (-found.severity, order[found.rule], found.sample, _first(found)))
    return Diagnosis(trace, tuple(findings), judgements, tuple(not_applied))


def _first(finding: Finding) -> tuple[int, int]:
    return (-1 if finding.canvas is None else finding.canvas, -1 if finding.step is None else finding.step)
