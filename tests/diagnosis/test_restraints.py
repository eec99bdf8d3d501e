"""What the caller gave, clamped or banned is not taken for the model's own confidence."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.judged_drafts import judged_drafts
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.restraints import banned_drafts, clamped, given_tokens
from dgemma_viz.diagnosis import Severity
from tests import restrained
from tests.conformance.conftest import with_settings


def rules(trace, reference=None):
    return {finding.rule: finding for finding in dv.diagnose(trace, reference)}


def without_record(trace):
    return replace(trace, banned=None, banned_draft=None)


def test_a_plain_run_has_no_such_finding_and_the_rules_were_applied():
    diagnosis = dv.diagnose(restrained.plain())
    assert not {"clamped-positions", "draft-banned"} & {finding.rule for finding in diagnosis}
    assert not {"clamped-positions", "draft-banned"} & {*diagnosis.not_applied}


def test_infilling_is_noted_with_the_entropy_of_what_was_left_open():
    trace = restrained.infilled()
    run = trace.canvas_run()
    found = rules(trace)["clamped-positions"]
    held = [place for place in range(48) if not restrained.HOLE.start <= place < restrained.HOLE.stop]
    assert found.positions == tuple(held)
    free = run.array("entropy")[-1, restrained.HOLE].mean(dtype=float)
    assert found.evidence["mean_entropy_of_free"] == pytest.approx(free)
    assert "clamped-positions" not in rules(without_record(trace))


def test_a_canvas_that_stopped_only_because_of_clamped_positions_is_a_warning():
    trace = restrained.infilled(t_min=1.0, t_max=2.0, confidence_threshold=0.5)
    mean = trace.mean_entropy[-1, 0]
    free = trace.entropy[-1, 0, restrained.HOLE].mean()
    assert mean < 0.5
    found = rules(with_settings(trace, confidence_threshold=float(mean + free) / 2))
    assert found["clamped-positions"].severity == Severity.WARNING


def test_what_the_model_wanted_is_quoted():
    trace = restrained.forced()
    found = rules(trace)["draft-banned"]
    assert set(found.positions) <= {2, 6}
    first = next(place for place in found.positions if trace.banned_draft[found.step, 0, place] >= 0)
    wanted, put = (trace.token_text(ids[found.step, 0, first]) for ids in (trace.banned_draft, trace.draft))
    assert wanted.strip() in found.what
    assert put.strip() in found.what


def test_clamped_drafts_are_not_judged_for_calibration():
    trace = restrained.infilled()
    judgement = judge(trace, trace.output_text(), 0)
    drafts, before = judged_drafts(trace, judgement), judged_drafts(without_record(trace), judgement)
    assert drafts.not_free == clamped(trace.canvas_run())[:, judgement.judged[0]].sum()
    assert len(drafts) + drafts.not_free == len(before)


def test_a_token_forced_though_the_model_never_had_it_is_not_called_unsure():
    trace = restrained.forced()
    found = rules(trace).get("never-confident")
    assert found is None or not {2, 6} & {*found.positions}


def test_given_tokens_last_as_long_as_they_are_held():
    run = restrained.infilled().canvas_run()
    given, hole = given_tokens(run), np.zeros(48, dtype=bool)
    hole[restrained.HOLE] = True
    assert given[0].all()
    assert given[1:, ~hole].all()
    assert not given[1:, hole].any()
    assert not given_tokens(restrained.forced().canvas_run()).any()
    assert banned_drafts(restrained.forced().canvas_run())[:, [2, 6]].any()
