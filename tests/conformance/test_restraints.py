"""Given, clamped and banned tokens are no violations, no evidence of chance, and never candidates."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.conformance import check_conformance
from tests import restrained
from tests.conformance.conftest import edited, with_settings


@pytest.mark.parametrize("make", [restrained.suppressing, restrained.forced, restrained.infilled])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_unmodified_sampler_breaks_no_rule(make, seed):
    traces = {"cold": make(seed), "warm": restrained.warm(make, seed)}
    report = check_conformance(traces)
    assert report.ok, str(report)
    assert "ruled-out-stays-out" in report.passed


def test_a_run_without_processors_is_not_concerned():
    report = check_conformance(restrained.plain())
    assert "ruled-out-stays-out" in report.not_applicable


def outcome(trace, rule):
    return next(one for one in check_conformance(trace).outcomes if one.rule == rule)


def test_a_given_first_canvas_is_no_evidence_and_one_that_nobody_gave_is_a_violation():
    trace = restrained.infilled()
    assert outcome(trace, "initial-canvas-random").reason.startswith("the caller gave the first canvas")
    repeating = edited(trace, "noised", (0, 0), 7)
    assert check_conformance(repeating).ok
    report = check_conformance(with_settings(repeating, inputs=["attention_mask"]))
    assert [one.rule for one in report.violations] == ["initial-canvas-random"]


def test_clamped_candidates_are_not_counted_as_draws():
    trace = restrained.warm(restrained.infilled)
    free = trace.canvas_run().n_steps * (restrained.HOLE.stop - restrained.HOLE.start)
    assert outcome(trace, "candidates-drawn").tallies[0].draws == free
    unknown = replace(trace, banned=None, banned_draft=None)
    assert outcome(unknown, "candidates-drawn").tallies[0].draws == trace.draft.size


def test_a_candidate_that_was_ruled_out_is_found():
    trace = restrained.forced()
    other = int(trace.banned_draft[0, 0, 2])
    planted = edited(edited(trace, "candidate", (0, 0, 2), other), "accepted", (0, 0, 2), False)
    found = [one for one in check_conformance(planted).violations if one.rule == "ruled-out-stays-out"]
    assert [(one.step, one.position) for one in found] == [(0, 2)]
    banning = restrained.suppressing()
    step, _, position = np.argwhere(banning.banned_draft >= 0)[0]
    lost = banning.banned_draft[step, 0, position]
    planted = edited(banning, "draft", (step, 0, position), lost)
    found = [one for one in check_conformance(planted).violations if one.rule == "ruled-out-stays-out"]
    assert [(one.step, one.position) for one in found] == [(step, position)]
    assert "draft" in found[0].what
