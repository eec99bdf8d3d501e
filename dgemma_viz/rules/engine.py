"""Runs rules over cases, and says what becomes of each: a rule that had too little to go on does not pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from dgemma_viz.rules.finding import Finding
from dgemma_viz.rules.rule import Across, C, Pooled, Rule, Tally


class Verdict(StrEnum):
    """What becomes of a rule, as reports put it."""

    PASSED = "passed"
    """It was checked, and holds."""
    BROKEN = "broken"
    """It does not hold somewhere."""
    UNDECIDED = "could not be told"
    """A statistical rule with nothing against it, but with too little to see for that to mean anything."""
    NOT_CHECKED = "not checked"
    """It lacks something, or found nothing to judge."""
    NOT_APPLICABLE = "not applicable"
    """It is a rule of other samplers."""


@dataclass(frozen=True)
class Outcome:
    """What becomes of one rule.

    Attributes
    ----------
    rule
        Its name.
    verdict
        What became of it.
    traces
        In how many traces something was judged.
    judged
        How many things (positions, steps or draws) were judged, over all traces.
    reason
        Why it could not be told or was not checked; where it was checked in some traces only, why not in the others.
    tallies
        Of a statistical rule: what each of its questions saw.
    """

    rule: str
    verdict: Verdict
    traces: int = 0
    judged: int = 0
    reason: str = ""
    tallies: tuple[Tally, ...] = ()

    @property
    def leading(self) -> Tally | None:
        """Of several tallies the one that lacks most."""
        return max(self.tallies, key=lambda tally: tally.more_needed, default=None)


def run_rules(
    rules: Sequence[Rule[C]], cases: Sequence[C], *, repeated: Mapping[int, int] | None = None, false_alarm: float = 0.0
) -> tuple[list[Finding], tuple[Outcome, ...]]:
    """Apply all rules to all cases.

    Parameters
    ----------
    rules
        The rules.
    cases
        What they judge.
    repeated
        Cases that repeat the random draws of earlier ones: their indices, and those of the earlier ones. They count
        once in statistical rules.
    false_alarm
        Probability with which conforming runs may be accused by any of the statistical rules.

    Returns
    -------
    tuple
        All findings, rule by rule, each with its rule and the index of its case; and one outcome a rule.
    """
    share = false_alarm / max(1, sum(isinstance(rule.check, Pooled) for rule in rules))
    findings, outcomes = list[Finding](), []
    for rule in rules:
        outcome, found = _judged(rule, cases, repeated or {}, share)
        outcomes.append(outcome)
        findings += [replace(one, rule=rule.name, remedy=rule.remedy) for one in found]
    return findings, tuple(outcomes)


def _judged(
    rule: Rule[C], cases: Sequence[C], repeated: Mapping[int, int], risk: float
) -> tuple[Outcome, list[Finding]]:
    able, own, others = list[tuple[int, C]](), list[str](), list[str]()
    for index, case in enumerate(cases):
        if (unmet := rule.unmet(case)) is None:
            able.append((index, case))
        else:
            need, why = unmet
            (others if need.of_other_samplers else own).append(why)
    if not able and not own:
        return Outcome(rule.name, Verdict.NOT_APPLICABLE, reason="; ".join(dict.fromkeys(others))), []
    reasons = list(dict.fromkeys(own))
    if isinstance(rule.check, Pooled):
        return _pooled(rule, rule.check, _once(able, repeated), reasons, risk)
    found, counts = list[Finding](), dict.fromkeys((index for index, _ in able), 0)
    check = rule.check
    said = check.judge(able) if isinstance(check, Across) else ((i, one) for i, case in able for one in check(case))
    for index, checked in said:
        counts[index] += checked.judged
        if checked.finding is not None:
            found.append(replace(checked.finding, trace=index))
    total, seen_in = sum(counts.values()), sum(map(bool, counts.values()))
    if seen_in < len(counts):
        reasons = [rule.idle, *reasons]
    verdict = Verdict.BROKEN if found else Verdict.PASSED if total else Verdict.NOT_CHECKED
    return Outcome(rule.name, verdict, seen_in, total, "; ".join(reasons)), found


def _once(cases: Sequence[tuple[int, C]], repeated: Mapping[int, int]) -> list[tuple[int, C]]:
    """The first of all cases that have their random draws in common."""
    first: dict[int, tuple[int, C]] = {}
    for index, case in cases:
        first.setdefault(repeated.get(index, index), (index, case))
    return list(first.values())


def _pooled(
    rule: Rule[C], check: Pooled[C], cases: Sequence[tuple[int, C]], reasons: list[str], risk: float
) -> tuple[Outcome, list[Finding]]:
    tallies, found = check.judge(cases, risk)
    draws, seen_in = (max((getattr(tally, name) for tally in tallies), default=0) for name in ("draws", "traces"))
    too_little = [tally.reason for tally in tallies if tally.reason]
    if not draws:
        idle = [rule.idle] if cases else []
        return Outcome(rule.name, Verdict.NOT_CHECKED, reason="; ".join([*idle, *reasons])), []
    verdict = Verdict.BROKEN if found else Verdict.UNDECIDED if too_little else Verdict.PASSED
    if not found:
        reasons = [*too_little, *reasons]
    return Outcome(rule.name, verdict, seen_in, draws, "; ".join(reasons), tallies), found
