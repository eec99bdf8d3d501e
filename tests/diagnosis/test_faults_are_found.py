"""Each rule is true on real runs of the bundled model with its fault planted, and says where to look."""

import pytest

from benchmarks.diagnosis import CASES, MASKED_CASES
from dgemma_viz.diagnosis import RULES, Severity, channels, diagnose
from dgemma_viz.tiny.tasks import TASKS
from tests.handmade import handmade_trace

CHANNEL_RULES = {rule.name for rule in channels.RULES}
"""The bundled model has no channels: their faults are planted in test_channels.py."""


RESTRAINT_RULES = {"clamped-positions", "draft-banned"}
"""What a caller's processors do is no fault of the model's: see test_restraints.py."""


def findings_of(trace, rule, reference=None):
    return [finding for finding in diagnose(trace, reference) if finding.rule == rule]


def test_every_rule_has_a_fault():
    planted = {case.rule for case in (*CASES, *MASKED_CASES)}
    assert planted | CHANNEL_RULES | RESTRAINT_RULES == {rule.name for rule in RULES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rule}-{case.fault}")
def test_the_fault_is_found(case, run_of):
    task = case.tasks[0]
    check_found(run_of(task, case.fault), case, task)


@pytest.mark.parametrize("case", MASKED_CASES, ids=lambda case: f"{case.rule}-{case.fault}")
def test_the_fault_of_a_mask_token_loop_is_found(case, loop_of):
    """On one of the first prompts: a block that begins at its start looks healthy where that is the surest position."""
    task = case.tasks[0]
    traces = (loop_of(task, case.fault, seed) for seed in range(9))
    check_found(next(trace for trace in traces if findings_of(trace, case.rule)), case, task)


def check_found(trace, case, task):
    found = findings_of(trace, case.rule, TASKS[task].right_answer)
    assert found
    assert max(finding.severity for finding in found) >= Severity.WARNING
    for finding in found:
        assert finding.what.endswith((".", "'", '"'))
        assert finding.remedy
        assert all(0 <= position < trace.canvas_length for position in finding.positions)
        assert list(finding.positions) == sorted(set(finding.positions))
        if finding.step is not None:
            assert finding.step < trace.canvas_run(finding.canvas, finding.sample).n_steps


def test_a_stray_end_is_named_with_the_text_behind_it(run_of):
    trace = run_of("sudoku", "stray-end")
    (premature,) = findings_of(trace, "premature-end", TASKS["sudoku"].right_answer)
    assert premature.severity == Severity.ERROR
    assert (premature.canvas, premature.positions) == (0, (2,))
    (after,) = findings_of(trace, "text-after-end")
    assert after.severity == Severity.WARNING
    assert min(after.positions) == 3
    assert after.evidence["emitted"] == 0


def test_text_that_gave_way_to_the_end_is_seen_without_a_reference(run_of):
    (found,) = findings_of(run_of("long", "ends-early"), "premature-end")
    assert found.severity == Severity.WARNING
    assert min(found.positions) >= 6
    assert found.step == 1


def test_a_restarted_canvas_is_named_as_a_repetition(run_of):
    found = findings_of(run_of("long", "restarted-canvas"), "canvas-boundary")[0]
    assert found.canvas == 1
    assert found.evidence["repeated_tokens"] >= 8
    assert found.positions == tuple(range(int(found.evidence["repeated_tokens"])))


def test_certainty_that_ends_with_a_canvas_is_named():
    """By hand: the bundled model is as sure of a canvas whose beginning it cannot see, and wrong."""
    sure, unsure = [[0.99] * 6] * 3, [[0.5] * 6] * 3
    trace = handmade_trace(["a b c d e f"] * 3, ["g h i j k <eos>"] * 3, confidence=[*sure, *unsure])
    (found,) = findings_of(trace, "canvas-boundary")
    assert found.canvas == 1
    assert found.evidence["repeated_tokens"] == 0
    assert found.evidence["more_errors_expected"] >= 1


def test_a_run_that_failed_on_nan_names_the_last_recorded_step(run_of):
    trace = run_of("sort", "nan-logits")
    (found,) = findings_of(trace, "numbers-not-finite")
    assert trace.facts.status == "failed"
    assert (found.canvas, found.step) == (0, 0)
    assert findings_of(trace, "run-cut-off")[0].severity == Severity.ERROR


def test_a_stale_sampler_is_named_with_both_bounds(run_of):
    (found,) = findings_of(run_of("addition", "stale-sampler"), "stale-compiled-sampler")
    assert found.evidence["bound_used"] == 5
    assert "0.1" in found.what
    assert not findings_of(run_of("addition", "stale-sampler"), "recorder-warning")


def test_a_schedule_of_two_steps_is_colder_in_the_second(run_of):
    (found,) = findings_of(run_of("sudoku", "two-steps"), "temperature-schedule-shifted")
    assert found.step == 1
    assert found.evidence["largest_shift"] == pytest.approx(0.6 - (0.4 + 0.4 * 47 / 48), abs=1e-6)
    assert "max_denoising_steps is 2" in found.what


def test_the_loop_is_measured(run_of):
    (found,) = findings_of(run_of("sort", "loop"), "repetition-loop")
    assert found.evidence["period"] == 3
    assert found.evidence["tokens"] == 144
