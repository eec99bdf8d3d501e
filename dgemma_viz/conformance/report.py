"""What a conformance check gives: what breaks a rule, and what became of each rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.sampler_kind import SamplerKind, inferred_from, sampler_kind
from dgemma_viz.rules.engine import Outcome, Verdict
from dgemma_viz.rules.finding import Finding
from dgemma_viz.rules.report import Report, Section
from dgemma_viz.trace.schema import OF_A_DECISION

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("rule", "trace", "trace_name", "canvas", "step", "sample", "position"),
    *("found", "expected", "what", "places"),
)
OUTCOME_COLUMNS = {
    "rule": "str",
    "outcome": "str",
    "traces": "int64",
    "judged": "int64",
    "draws": "Int64",
    "hits": "Int64",
    "expected": "float64",
    "more_needed": "float64",
    "reason": "str",
}
_HELD_AGAINST = {
    SamplerKind.ENTROPY_BOUND: "the reference sampler",
    SamplerKind.OTHER: "the rules that hold for any sampler",
}
_MOST = 5
"""Names in a note."""


@dataclass(frozen=True, eq=False)
class ConformanceReport(Report):
    """Outcome of :func:`dgemma_viz.check_conformance`; in a notebook it shows itself as a table.

    Attributes
    ----------
    names
        What to call each of the traces.
    repeated
        Pairs of indices: traces that repeat the random draws of earlier ones, whose draws count once.
    """

    names: tuple[str, ...]
    repeated: tuple[tuple[int, int], ...] = ()

    columns = COLUMNS
    headings = ("Rule", "Where", "What is wrong", "Found", "Expected", "Places")
    css_class = "dgemma-viz-conformance"

    @property
    def violations(self) -> tuple[Finding, ...]:
        """The findings: the first breach of each rule in each canvas of each sample, or in each trace if statistical.

        Trace by trace, earliest step first: what comes first is most likely the cause of the rest.
        """
        return self.findings

    @property
    def ok(self) -> bool:
        """Nothing is broken, and something was checked. Not that everything was: see :attr:`undecided`."""
        return bool(self.passed) and not self.findings

    @property
    def passed(self) -> tuple[str, ...]:
        """Names of rules that were checked and hold."""
        return tuple(one.rule for one in self.of(Verdict.PASSED))

    @property
    def undecided(self) -> tuple[tuple[str, str], ...]:
        """``(rule, reason)`` of statistical rules that had too little to see, with how much more would tell."""
        return self._reasons(Verdict.UNDECIDED)

    @property
    def not_checked(self) -> tuple[tuple[str, str], ...]:
        """``(rule, reason)`` of rules that lack something, or that found nothing to judge."""
        return self._reasons(Verdict.NOT_CHECKED)

    @property
    def not_applicable(self) -> tuple[str, ...]:
        """Names of rules that are not applied, since other samplers than those of the traces keep them."""
        return tuple(one.rule for one in self.of(Verdict.NOT_APPLICABLE))

    def first(self, rule: str) -> Finding | None:
        """Earliest violation of a rule; None if it has none."""
        return next((one for one in self.findings if one.rule == rule), None)

    def outcome_table(self) -> pd.DataFrame:
        """One row per rule with :data:`OUTCOME_COLUMNS`: what became of it, and what a statistical one saw.

        ``draws``, ``hits``, ``expected`` and ``more_needed`` are those of the question that lacks most
        (:class:`~dgemma_viz.rules.rule.Tally`), and missing where a rule is not statistical.
        """
        import pandas as pd

        rows = []
        for one in self.outcomes:
            row = {"rule": one.rule, "outcome": str(one.verdict), "traces": one.traces, "judged": one.judged}
            if (tally := one.leading) is not None:
                row |= {name: getattr(tally, name) for name in ("draws", "hits", "expected", "more_needed")}
            rows.append(row | {"reason": "" if one.verdict is Verdict.NOT_APPLICABLE else one.reason})
        return pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)).astype(OUTCOME_COLUMNS)

    def __repr__(self) -> str:
        return f"<ConformanceReport: {self.headline()}>"

    def headline(self) -> str:
        """What it comes to, and how many rules passed, are broken, could not be told and were not checked."""
        broken, undecided, unchecked = len(self._by_rule()), len(self.undecided), len(self.not_checked)
        rules = " and ".join(
            _HELD_AGAINST.get(kind, f"the rules of {kind}") for kind in dict.fromkeys(map(sampler_kind, self.traces))
        )
        if broken:
            verdict = f"{counted(broken, 'rule')} broken"
        elif self.ok:
            verdict = f"Conforms to {rules}{' in what could be checked' if undecided or unchecked else ''}"
        else:
            verdict = "Nothing could be checked"
        over = f"{len(self.traces)} traces, " if len(self.traces) > 1 else ""
        told = f"{undecided} could not be told, " if undecided else ""
        return f"{verdict}: {over}{len(self.passed)} passed, {broken} broken, {told}{unchecked} not checked"

    def _remarks(self) -> list[str]:
        """What samplers were taken for that do not say what they are."""
        seen = dict.fromkeys((sampler_kind(trace), why) for trace in self.traces if (why := inferred_from(trace)))
        texts = [f"{kind}, inferred{', as' if why.startswith('the ') else ' from'} {why}" for kind, why in seen]
        return [f"The sampler is taken for {text}. Let 'sampler_kind' in the facts say what it is." for text in texts]

    def _told(self) -> Iterator[Sequence[str]]:
        places = "canvases, samples or traces" if len(self.traces) > 1 else "canvases or samples"
        for name, (first, *more) in self._by_rule().items():
            also = [f"and in {len(more)} more {places}"] if more else []
            rule = self.rule(name)
            head = f"{first.severity.mark} {name}  (first: {first.where})"
            yield head, first.what, *also, f"Rule: {rule.says}", f"Source: {rule.source}"

    def _cells(self, finding: Finding) -> Sequence[str]:
        name, place = f"{finding.severity.mark} {finding.rule}", finding.where
        return name, place, finding.what, finding.found, finding.expected, str(finding.places)

    def _sections(self) -> Iterator[Section]:
        if passed := self.of(Verdict.PASSED):
            yield Section("✓ passed", ", ".join(map(self._in_some, passed)))
        for verdict in (Verdict.UNDECIDED, Verdict.NOT_CHECKED):
            if reasons := self._reasons(verdict):
                yield Section(f"? {verdict}", entries=reasons, open=True)
        tallies = [(one.rule, tally) for one in self.outcomes for tally in one.tallies if tally.draws]
        if tallies:
            yield Section("Statistical rules saw", entries=[(rule, tally.seen) for rule, tally in tallies])
        if self.repeated:
            pairs = [f"{self.names[index]} those of {self.names[earlier]}" for index, earlier in self.repeated]
            told = "Some traces repeat the random draws of others, which statistical rules count once"
            yield Section(told, f"{_some(pairs)}.")
        yield from self._undecided_steps()
        if self.not_applicable:
            yield Section("rules of other samplers, not applicable", ", ".join(self.not_applicable))

    def _undecided_steps(self) -> Iterator[Section]:
        """Of each trace the steps that made no decision, and the rules that would have judged them."""
        of_decisions = {rule.name for rule in self.rules if any(set(OF_A_DECISION) & {*n.arrays} for n in rule.needs)}
        rules = [one.rule for one in self.outcomes if one.traces and one.rule in of_decisions]
        for name, trace in zip(self.names, self.traces, strict=True):
            steps = np.flatnonzero((trace.active & ~trace.decided).any(axis=1))
            if not len(steps) or not rules:
                continue
            places = [f"step {trace.step_in_canvas[step]} of canvas {trace.canvas[step]}" for step in steps]
            of, them = f"{name}: " if len(self.traces) > 1 else "", "it" if len(steps) == 1 else "them"
            told = f"{of}No decision was made in {_some(places)}, so these rules leave {them} out"
            yield Section(told, f"{', '.join(rules)}.")

    def _in_some(self, outcome: Outcome) -> str:
        """Name of a rule, with in how many of several traces it was checked where it was not in all."""
        if outcome.traces == len(self.traces):
            return outcome.rule
        return f"{outcome.rule} ({outcome.traces} of {len(self.traces)} traces)"

    def _by_rule(self) -> dict[str, list[Finding]]:
        return {one.rule: [other for other in self.findings if other.rule == one.rule] for one in self.findings}

    def _reasons(self, verdict: Verdict) -> tuple[tuple[str, str], ...]:
        return tuple((one.rule, one.reason) for one in self.of(verdict))


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST
    return f"{', '.join(texts[:_MOST])}{f' and {more} more' if more > 0 else ''}"
