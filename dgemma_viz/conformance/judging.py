"""One rule over all traces of a check: which of them it concerns, which hold what it needs, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.conformance.outcome import Outcome, Verdict
from dgemma_viz.conformance.rule import Check, Rule
from dgemma_viz.conformance.statistical import Statistical
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    Indexed = Sequence[tuple[int, Evidence]]
    Broken = list[tuple[int, CanvasRun, Breach]]


def judged(
    rule: Rule, evidence: Sequence[Evidence], repeated: Mapping[int, int], risk: float
) -> tuple[Outcome, Broken]:
    """Judge a rule.

    Parameters
    ----------
    rule
        The rule.
    evidence
        Of each trace.
    repeated
        Traces that repeat the random draws of earlier ones: their indices, and those of the earlier ones.
    risk
        Probability with which a statistical rule may accuse conforming runs.

    Returns
    -------
    tuple
        What becomes of it; and the first breach in each canvas of each sample (of a statistical rule: in each trace),
        with index of the trace and canvas.
    """
    concerned = [index for index, one in enumerate(evidence) if rule.concerns(one)]
    if not concerned:
        return Outcome(rule.name, Verdict.NOT_APPLICABLE), []
    lacking = {index: reason for index in concerned if (reason := rule.lacking(evidence[index]))}
    able = [(index, evidence[index]) for index in concerned if index not in lacking]
    reasons = list(dict.fromkeys(lacking.values()))
    if not isinstance(rule.check, Statistical):
        return _one_by_one(rule, rule.check, able, reasons)
    return _pooled(rule, rule.check, _once(able, repeated), reasons, risk)


def _one_by_one(rule: Rule, check: Check, traces: Indexed, reasons: list[str]) -> tuple[Outcome, Broken]:
    counts, broken = dict.fromkeys((index for index, _ in traces), 0), []
    for index, evidence in traces:
        for run, checked in check(evidence):
            counts[index] += checked.judged
            if checked.breach is not None:
                broken.append((index, run, checked.breach))
    total, seen_in = sum(counts.values()), sum(map(bool, counts.values()))
    if seen_in < len(counts):
        reasons = [rule.idle, *reasons]
    verdict = Verdict.BROKEN if broken else Verdict.PASSED if total else Verdict.NOT_CHECKED
    return Outcome(rule.name, verdict, seen_in, total, "; ".join(reasons)), broken


def _once(traces: Indexed, repeated: Mapping[int, int]) -> Indexed:
    """The first of all traces that have their random draws in common."""
    first: dict[int, tuple[int, Evidence]] = {}
    for index, evidence in traces:
        first.setdefault(repeated.get(index, index), (index, evidence))
    return list(first.values())


def _pooled(rule: Rule, check: Statistical, traces: Indexed, reasons: list[str], risk: float) -> tuple[Outcome, Broken]:
    tallies, accused = check.judge(traces, risk)
    broken = [(index, one.run, one.breach) for index, one in sorted(accused.items())]
    draws, seen_in = (max((getattr(tally, name) for tally in tallies), default=0) for name in ("draws", "traces"))
    too_little = [tally.reason for tally in tallies if tally.reason]
    if not draws:
        idle = [rule.idle] if traces else []
        return Outcome(rule.name, Verdict.NOT_CHECKED, 0, 0, "; ".join([*idle, *reasons])), []
    verdict = Verdict.BROKEN if broken else Verdict.UNDECIDED if too_little else Verdict.PASSED
    if not broken:
        reasons = [*too_little, *reasons]
    return Outcome(rule.name, verdict, seen_in, draws, "; ".join(reasons), tallies), broken
