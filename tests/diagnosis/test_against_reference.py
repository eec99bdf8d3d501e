"""Rules that need a right answer, on a real run in which one token was changed by hand."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.diagnosis import Severity, diagnose

POSITION = 2


@pytest.fixture
def changed(run_of):
    """A right Sudoku whose digit at POSITION is another one from a step on; ``accepted`` in that step or never."""
    trace = run_of("sudoku", "never-stops")
    ids = {text: token for token, text in trace.token_texts.items()}
    assert trace.emitted[0, 0, POSITION] != ids["/"]

    def change(step, *, accepted):
        arrays = {name: getattr(trace, name).copy() for name in ("draft", "candidate", "accepted", "emitted")}
        arrays["draft"][step:, 0, POSITION] = ids["/"]
        arrays["candidate"][step:, 0, POSITION] = ids["/"]
        arrays["accepted"][step:, 0, POSITION] = accepted
        arrays["emitted"][0, 0, POSITION] = ids["/"]
        return replace(trace, **arrays, decision=None)

    return change, trace.output_text()


def found(diagnosis, rule):
    return next((finding for finding in diagnosis if finding.rule == rule), None)


def test_right_then_lost(changed):
    change, right = changed
    lost = found(diagnose(change(5, accepted=False), right), "right-then-lost")
    assert lost.severity == Severity.ERROR
    assert (lost.step, lost.positions) == (5, (POSITION,))
    assert lost.evidence["best_confidence"] > 0.5


def test_wrong_from_the_first_step_was_never_lost(changed):
    change, right = changed
    diagnosis = diagnose(change(0, accepted=True), right)
    assert found(diagnosis, "right-then-lost") is None
    stuck = found(diagnosis, "accepted-wrong-and-stuck")
    assert (stuck.step, stuck.positions, stuck.evidence["tokens"]) == (0, (POSITION,), 1)


def test_wrong_but_never_accepted_is_not_stuck(changed):
    change, right = changed
    diagnosis = diagnose(change(0, accepted=False), right)
    assert found(diagnosis, "accepted-wrong-and-stuck") is None
    assert POSITION in found(diagnosis, "emitted-but-never-accepted").positions


def test_accepted_in_the_last_step_only_is_not_stuck(changed):
    change, right = changed
    last = len(change(0, accepted=True).canvas) - 1
    assert found(diagnose(change(last, accepted=True), right), "accepted-wrong-and-stuck") is None


def test_the_step_of_a_wrong_answer_is_where_its_token_settled(changed):
    change, right = changed
    wrong = found(diagnose(change(7, accepted=True), right), "wrong-answer")
    assert (wrong.canvas, wrong.step, wrong.positions) == (0, 7, (POSITION,))
    assert wrong.evidence["wrong"] == 1


def test_a_checker_that_says_only_wrong_judges_no_position(changed):
    change, _ = changed
    diagnosis = diagnose(change(5, accepted=True), lambda *_: False)
    assert found(diagnosis, "wrong-answer").positions == ()
    assert {"accepted-wrong-and-stuck", "right-then-lost"} <= {name for name, _ in diagnosis.not_applied}
    assert np.array_equal(diagnosis.judgements[0].judged, np.zeros((1, 48), dtype=bool))


def test_without_a_reference_the_rules_are_silent_and_say_so(run_of):
    diagnosis = diagnose(run_of("sudoku", "stray-end"))
    rules = {"wrong-answer", "accepted-wrong-and-stuck", "right-then-lost"}
    assert not rules & {finding.rule for finding in diagnosis}
    reasons = dict(diagnosis.not_applied)
    assert rules <= set(reasons)
    assert "diagnose(trace, reference)" in reasons["wrong-answer"]
    assert diagnosis.judgements == (None,)
