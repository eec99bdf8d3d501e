"""Broken rules of the reference sampler are findings, each once, at the first place; healthy runs have none."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis import Severity, diagnose
from tests.handmade import handmade_trace


@pytest.mark.parametrize(
    ("task", "fault"), [("long", "stability-off-by-one"), ("long", "never-stable"), ("grid", "argmax-in-canvas")]
)
def test_a_broken_rule_is_an_error_at_its_first_step(run_of, task, fault):
    trace = run_of(task, fault)
    found = [finding for finding in diagnose(trace) if finding.rule == "reference-rule-broken"]
    broken = check_conformance(trace).violations
    assert {finding.what.split(":")[0] for finding in found} == {violation.rule for violation in broken}
    assert len(found) == len({finding.what.split(":")[0] for finding in found})
    assert all(finding.severity is Severity.ERROR for finding in found)
    assert (found[0].canvas, found[0].step) == (broken[0].canvas, broken[0].step)


def test_what_other_rules_speak_of_is_not_said_twice(run_of):
    rules = [finding.rule for finding in diagnose(run_of("addition", "stale-sampler"))]
    assert "stale-compiled-sampler" in rules
    assert "reference-rule-broken" not in rules


def test_a_healthy_run_breaks_none(run_of):
    assert "reference-rule-broken" not in {finding.rule for finding in diagnose(run_of("sudoku", None))}


def test_a_token_is_named_by_its_text():
    trace = handmade_trace(["a b"], confidence=[0.3, 0.9], second="c")
    swapped = np.array(trace.top_k_probabilities)
    swapped[0, 0, 0] = [0.3, 0.6]
    (found,) = (f for f in diagnose(replace(trace, top_k_probabilities=swapped)) if f.what.startswith("draft-is-top-1"))
    assert found.what == "draft-is-top-1: The draft has probability 0.3, but token 4 ('c') has 0.6001."
