"""``diagnose(trace)``: every rule over one trace, and the findings worst first.

>>> diagnosis = dgemma_viz.diagnose(recording.trace, reference="3241/1432/4123/2314")
>>> diagnosis.table()          # a pandas DataFrame; in a notebook ``diagnosis`` alone shows a table
>>> diagnosis.not_applied      # rules that could not be applied, and why

A finding is evidence read from the recorded numbers (derived, not measured). What the thresholds are and why stands
beside each rule in this package; how often each rule finds its fault and how often it cries wolf is printed by
``python benchmarks/diagnosis.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.reference import Judgement, Reference, judge
from dgemma_viz.diagnosis import (
    acceptance,
    against_reference,
    canvas_boundary,
    channels,
    drafts,
    ending,
    repetition,
    runtime,
    stopping,
    unmasking,
)
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.rules.engine import Verdict, run_rules
from dgemma_viz.rules.finding import Finding, place_of, summary
from dgemma_viz.rules.report import Report, Section, shortened
from dgemma_viz.rules.rule import Rule
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import Trace

RULES: tuple[Rule[RunCase], ...] = (
    *runtime.RULES,
    *stopping.RULES,
    *ending.RULES,
    *channels.RULES,
    *repetition.RULES,
    *canvas_boundary.RULES,
    *against_reference.RULES,
    *drafts.RULES,
    *acceptance.RULES,
    *unmasking.RULES,
)
"""All rules, in the order in which findings of one severity are listed. Causes come before effects: broken numbers or
another sampler explain most of what follows."""

COLUMNS = ("severity", "rule", "sample", "canvas", "step", "positions", "text", "what", "remedy", "evidence")


@dataclass(frozen=True, eq=False)
class Diagnosis(Report):
    """What :func:`diagnose` found: ``findings``, worst first; of equal severity causes before effects.

    Attributes
    ----------
    judgements
        One per sample: its output against the reference, or None without one.
    """

    judgements: tuple[Judgement | None, ...]

    columns = COLUMNS
    headings = ("Severity", "Finding", "Where", "Evidence (derived)", "What to try")
    css_class = "dgemma-viz-diagnosis"

    @property
    def trace(self) -> Trace:
        """The trace."""
        return self.traces[0]

    @property
    def not_applied(self) -> tuple[tuple[str, str], ...]:
        """``(rule, reason)`` of each rule that this trace does not allow to be applied."""
        return tuple((one.rule, one.reason) for one in self.of(Verdict.NOT_CHECKED, Verdict.NOT_APPLICABLE))

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __bool__(self) -> bool:
        """A diagnosis without findings is a diagnosis all the same."""
        return True

    def __repr__(self) -> str:
        return f"<Diagnosis: {counted(len(self), 'finding')} in {self.trace!r}>"

    def headline(self) -> str:
        """How many findings there are of each severity, or how many rules found nothing."""
        if self.findings:
            return f"Diagnosis: {summary(self.findings)}"
        return f"No findings: {len(RULES) - len(self.not_applied)} rules applied."

    def _told(self) -> Iterator[Sequence[str]]:
        for one in self.findings:
            title, place = self.rule(one.rule).title, ", ".join(place_of(self.trace, one))
            head = f"{one.severity.mark} {one.severity.word.upper()}  {title}  ({place})"
            yield head, shortened(one.what), f"Try: {one.remedy}"

    def _cells(self, finding: Finding) -> Sequence[str]:
        severity, title = f"{finding.severity.mark} {finding.severity.word}", self.rule(finding.rule).title
        return severity, title, ", ".join(place_of(self.trace, finding)), shortened(finding.what), finding.remedy

    def _sections(self) -> Iterator[Section]:
        if reasons := self.not_applied:
            yield Section(f"{counted(len(reasons), 'rule')} not applied", entries=reasons)


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
    found, outcomes = run_rules(RULES, [RunCase(trace, trace.facts.settings, judgements)])
    order = {rule.name: index for index, rule in enumerate(RULES)}
    found.sort(
        key=lambda one: (-one.severity, order[one.rule], one.sample, _from_start(one.canvas), _from_start(one.step))
    )
    return Diagnosis((trace,), tuple(found), outcomes, RULES, judgements)


def _from_start(place: int | None) -> int:
    return -1 if place is None else place
