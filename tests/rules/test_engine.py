"""What becomes of a rule: only one that judged something, and found nothing, has passed."""

from dataclasses import replace

import pytest

from dgemma_viz.rules import Case, Checked, Finding, Rule, Severity, Tally, Verdict, need, run_rules
from dgemma_viz.rules.rule import Across, Pooled
from tests.synthetic import synthetic_trace

FOUND = Finding(Severity.WARNING, "something", step=1)
CASES = [Case(synthetic_trace(seed=seed), {"quota": seed}) for seed in range(3)]
SEED_0 = need.when(lambda case: case.number("quota") == 0, "the seed is another one")
OTHERS = replace(SEED_0, of_other_samplers=True)


def rule(*checked, needs=()):
    return Rule("a-rule", "It says so.", "here", needs, lambda _case: checked, "nothing was there", remedy="look")


def outcome_of(one, cases=CASES):
    findings, (outcome,) = run_rules([one], cases)
    return findings, outcome


@pytest.mark.parametrize(
    ("checked", "verdict", "reason"),
    [
        ((Checked(2), Checked(0)), Verdict.PASSED, ""),
        ((Checked(2), Checked(1, FOUND)), Verdict.BROKEN, ""),
        ((Checked(0), Checked(0)), Verdict.NOT_CHECKED, "nothing was there"),
        ((), Verdict.NOT_CHECKED, "nothing was there"),
    ],
)
def test_a_rule_that_judged_nothing_has_not_passed(checked, verdict, reason):
    findings, outcome = outcome_of(rule(*checked))
    assert (outcome.verdict, outcome.reason) == (verdict, reason)
    assert outcome.judged == len(CASES) * sum(one.judged for one in checked)
    expected = [replace(FOUND, rule="a-rule", remedy="look", trace=trace) for trace in range(len(CASES))]
    assert findings == (expected if verdict is Verdict.BROKEN else [])


def test_what_a_case_lacks_is_the_reason_and_the_others_are_judged():
    _, outcome = outcome_of(rule(Checked(2), needs=(SEED_0,)))
    assert outcome == replace(outcome, verdict=Verdict.PASSED, traces=1, judged=2, reason="the seed is another one")
    _, outcome = outcome_of(rule(Checked(2), needs=(SEED_0,)), CASES[1:])
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_CHECKED, "the seed is another one")


def test_a_rule_of_other_samplers_is_not_applicable():
    _, outcome = outcome_of(rule(Checked(2), needs=(OTHERS,)), CASES[1:])
    assert (outcome.verdict, outcome.reason) == (Verdict.NOT_APPLICABLE, "the seed is another one")
    _, outcome = outcome_of(rule(Checked(2), needs=(OTHERS,)))
    assert (outcome.verdict, outcome.traces, outcome.reason) == (Verdict.PASSED, 1, "")


class Neighbours(Across):
    """Holds each case against the one before."""

    def judge(self, cases):
        return [(index, Checked(1, FOUND if index == 2 else None)) for index, _ in cases[1:]]


def test_cases_that_are_held_against_each_other():
    across = replace(rule(), check=Neighbours())
    (finding,), outcome = outcome_of(across)
    assert (finding.trace, finding.rule, outcome.verdict, outcome.judged) == (2, "a-rule", Verdict.BROKEN, 2)
    findings, outcome = outcome_of(across, CASES[:1])
    assert (findings, outcome.verdict, outcome.reason) == ([], Verdict.NOT_CHECKED, "nothing was there")


class Count(Pooled):
    """Sees one draw a case, and tells from three of them."""

    def judge(self, cases, risk):
        assert risk == pytest.approx(0.1)
        self.seen = [index for index, _ in cases]
        more = max(0, 3 - len(cases))
        return (Tally("draws", len(cases), 0, 0.0, None, more, len(cases), "too few" if more else ""),), []


def test_too_few_draws_are_no_pass_and_repeated_ones_count_once():
    check = Count()
    pooled = replace(rule(), check=check)
    _, (outcome,) = run_rules([pooled], CASES, false_alarm=0.1)
    assert (outcome.verdict, check.seen) == (Verdict.PASSED, [0, 1, 2])
    _, (outcome,) = run_rules([pooled], CASES, repeated={2: 0}, false_alarm=0.1)
    assert (outcome.verdict, outcome.reason, check.seen) == (Verdict.UNDECIDED, "too few", [0, 1])
