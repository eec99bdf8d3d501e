"""Statistical rules over one run and several: too little evidence is no pass, and pooled it tells."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dgemma_viz.conformance import RULES, check_conformance
from dgemma_viz.conformance.check import repeated_draws
from dgemma_viz.errors import TraceError
from tests.conformance.conftest import edited, record_batch, with_settings

RUNS = 8
GREEDY = "candidates-drawn"


def record_several(tiny, runs=RUNS):
    return [
        record_batch(*tiny, ["sudoku"], seed=seed, t_min=1.0, t_max=2.0, max_denoising_steps=16) for seed in range(runs)
    ]


@pytest.fixture(scope="module")
def healthy_runs(tiny):
    return record_several(tiny)


@pytest.fixture(scope="module")
def greedy_runs(tiny):
    """The real generate() with candidates that are always the argmax, as some runtimes have them by default."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "multinomial", lambda probs, **_: probs.argmax(-1, keepdim=True))
        return record_several(tiny)


def test_one_greedy_run_does_not_pass(greedy_runs):
    """Sure runs hold few draws that could come out otherwise: each alone is neither accused nor acquitted."""
    reports = [check_conformance(trace) for trace in greedy_runs]
    assert all(GREEDY not in report.passed for report in reports)
    undecided = [report for report in reports if GREEDY in dict(report.undecided)]
    assert len(undecided) > RUNS / 2
    for report in undecided:
        assert report.ok
        assert str(report).startswith("Conforms to the reference sampler in what could be checked:")
        assert "could not be told" in str(report).splitlines()[0]
        reason = dict(report.undecided)[GREEDY]
        assert "more like these would tell" in reason
        assert GREEDY in report._repr_html_()


def test_greedy_runs_are_accused_together(greedy_runs):
    report = check_conformance(greedy_runs)
    assert not report.ok
    assert {violation.rule for violation in report.violations} == {GREEDY}
    violation = report.first(GREEDY)
    assert violation.trace > 0
    assert violation.where.startswith(f"trace {violation.trace}, canvas ")
    assert f"Over {violation.trace + 1} traces" in violation.what
    row = report.outcome_table().set_index("rule").loc[GREEDY]
    assert (row["outcome"], row["hits"]) == ("broken", row["draws"])
    assert row["expected"] < row["hits"]
    assert report.table().loc[0, "trace"] == violation.trace


def test_the_power_that_is_promised_is_there(greedy_runs):
    """As many draws more as the report asks for do tell, give or take what the runs differ."""
    one = check_conformance(greedy_runs[:1]).outcome_table().set_index("rule").loc[GREEDY]
    runs_needed = (one["draws"] + one["more_needed"]) / one["draws"]
    assert 1 < runs_needed < 3 * RUNS
    told_in = check_conformance(greedy_runs).first(GREEDY).trace + 1
    assert 1 / 3 < told_in / runs_needed < 3


def test_healthy_runs_together_are_accused_of_nothing(healthy_runs):
    report = check_conformance(healthy_runs)
    assert report.ok, str(report)
    assert GREEDY in report.passed
    text = str(report)
    assert f"{RUNS} traces" in text
    assert len(report.traces) == RUNS
    outcomes = report.outcome_table()
    assert sorted(outcomes["rule"]) == sorted(rule.name for rule in RULES)
    assert set(outcomes["outcome"]) <= {"passed", "could not be told", "not checked", "not applicable"}
    row = outcomes.set_index("rule").loc[GREEDY]
    assert row["traces"] == RUNS
    assert row["hits"] == pytest.approx(row["expected"], abs=6 * np.sqrt(row["expected"]))


def test_one_broken_run_among_healthy_ones_is_named(healthy_runs, healthy):
    """Healthy runs before it do not drown what one run shows by itself."""
    greedy = replace(healthy, candidate=healthy.draft)
    report = check_conformance([*healthy_runs, greedy])
    assert report.first(GREEDY).trace == RUNS
    assert "Over" not in report.first(GREEDY).what


def test_deterministic_rules_name_every_trace_that_breaks_them(healthy_runs):
    damaged = edited(healthy_runs[2], "entropy", (0, 0, 3), np.nan)
    report = check_conformance({"a.jsonl": healthy_runs[0], "b.jsonl": damaged})
    violation = report.first("numbers-finite")
    assert (violation.trace, violation.step, violation.position) == (1, 0, 3)
    assert "b.jsonl" in str(report)
    assert "b.jsonl" in report._repr_html_()


def test_a_rule_that_only_some_traces_can_be_held_against(healthy_runs):
    unknown = replace(healthy_runs[1], facts=replace(healthy_runs[1].facts, settings={}))
    report = check_conformance([healthy_runs[0], unknown])
    assert "stop-rule" in report.passed
    row = report.outcome_table().set_index("rule").loc["stop-rule"]
    assert row["traces"] == 1
    assert "'stability_threshold'" in row["reason"]
    assert "stop-rule (1 of 2 traces)" in " ".join(str(report).split())


def test_the_same_draws_count_once(greedy_runs, healthy_runs):
    """A file given twice, or two runs from one random state, are no further evidence."""
    again = replace(greedy_runs[0], facts=replace(greedy_runs[0].facts, seed=None), generator_state=None)
    assert repeated_draws([greedy_runs[0], again, greedy_runs[1]]) == {1: 0}
    report = check_conformance([greedy_runs[0]] * RUNS)
    assert GREEDY in dict(report.undecided)
    assert "repeat the random draws" in str(report)
    assert check_conformance([healthy_runs[0]] * 30).ok


def test_runs_of_one_seed_are_told_apart_by_what_was_drawn(healthy_runs):
    """Two calls after one torch.manual_seed say the same seed, but the second went on in the stream."""
    traces = [replace(trace, facts=replace(trace.facts, seed=0)) for trace in healthy_runs]
    assert repeated_draws(traces) == {}


def test_a_log_without_draws_goes_by_its_seed(healthy_runs):
    def bare(trace, seed):
        facts = replace(trace.facts, seed=seed, absent=("noised",))
        return replace(trace, noised=np.full_like(trace.noised, -1), generator_state=None, facts=facts)

    first, second = healthy_runs[:2]
    assert repeated_draws([bare(first, 3), bare(second, 3)]) == {1: 0}
    assert repeated_draws([bare(first, 3), bare(second, 4)]) == {}
    assert repeated_draws([bare(first, None), bare(second, None)]) == {}


def test_nothing_but_certain_draws_cannot_tell_however_many(healthy):
    sure = replace(healthy, confidence=np.ones_like(healthy.confidence), candidate=healthy.draft)
    assert "no number of draws as sure as these" in dict(check_conformance(sure).undecided)[GREEDY]


def test_noise_at_too_few_positions_is_no_pass(healthy):
    cold = edited(healthy, "accepted", np.s_[:], value=True)
    cold = edited(cold, "accepted", (0, 0, [3, 9]), value=False)
    undecided = dict(check_conformance(cold).undecided)
    assert "re-noised-random" in undecided
    assert "2 re-noised positions" in undecided["re-noised-random"]


@pytest.mark.parametrize("traces", [[], {}])
def test_no_traces(traces):
    with pytest.raises(TraceError, match="not none"):
        check_conformance(traces)


def test_settings_count_for_every_trace(healthy_runs):
    traces = [with_settings(trace, entropy_bound=0.1) for trace in healthy_runs[:2]]
    broken = check_conformance(traces, {"entropy_bound": 0.2}).violations
    assert [one.trace for one in broken if one.rule == "bound-as-asked"] == [0, 1]
