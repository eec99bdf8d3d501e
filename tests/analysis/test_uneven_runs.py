"""Analyses, figures and pages of canvases that differ in length, and of steps that made no decision."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz import figures
from dgemma_viz.analysis.acceptance import first_change, why
from dgemma_viz.analysis.accepted_errors import accepted_errors
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.decoding_work import decoding_work
from dgemma_viz.analysis.divergence import divergence
from dgemma_viz.analysis.emitted_tokens import emitted_tokens
from dgemma_viz.analysis.failure_kinds import failure_kind
from dgemma_viz.analysis.judged_drafts import judged_drafts
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.seed_agreement import seed_agreement
from dgemma_viz.analysis.step_table import step_table, transitions
from dgemma_viz.analysis.steps import accepted_counts, noise_ratios, tokens_per_forward
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.figures.marks import decision_marks, outcome
from dgemma_viz.figures.quantities import quantity_of
from dgemma_viz.trace.decision import NO_DECISION
from tests.synthetic import synthetic_trace, undecided

LENGTHS = (8, 8, 3)


def without_end(trace):
    """No token ends the answer, so that all canvases belong to it."""
    return replace(trace, facts=replace(trace.facts, eos_token_ids=(), pad_token_id=None))


@pytest.fixture(scope="module")
def ragged():
    return without_end(synthetic_trace(canvases=3, length=LENGTHS, steps=[[5], [4], [4]], seed=2))


@pytest.fixture(scope="module")
def no_end_decision():
    """The last step of each canvas made no decision."""
    trace = without_end(synthetic_trace(canvases=3, length=LENGTHS, steps=[[5], [4], [4]], seed=2))
    return undecided(trace, 4, 8, 12)


# -- lengths -----------------------------------------------------------------------------------------------------


def test_a_judgement_finds_its_tokens_in_every_canvas(ragged):
    texts = [ragged.token_text(token) for token in ragged.output_ids()]
    assert len(texts) == 19
    wrong = texts.copy()
    wrong[17] = " slowly" if texts[17] != " slowly" else " home"  # canvas 2, position 1
    judgement = judge(ragged, "".join(wrong))
    assert [*map(tuple, np.argwhere(judgement.wrong))] == [(2, 1)]
    assert judgement.judged.sum() == 19
    assert not judgement.judged[2, 3:].any()
    run = Run.of(ragged, "".join(wrong))
    assert len(emitted_tokens([run])) == 19
    assert len(judged_drafts(ragged, judgement)) == 5 * 8 + 4 * 8 + 4 * 3
    accepted = accepted_errors(ragged, judgement)
    assert (accepted.position < np.array(LENGTHS)[accepted.canvas]).all()
    assert set(accepted.others_judged) <= {7, 2}
    assert failure_kind(run).value == "few tokens wrong"
    (finding,) = [one for one in diagnose(ragged, "".join(wrong)).findings if one.rule == "wrong-answer"]
    assert (finding.canvas, finding.positions) == (2, (1,))


def test_places_of_an_answer(ragged):
    table = seed_agreement([Run.of(ragged), Run.of(ragged)])
    assert table[["canvas", "position"]].iloc[[0, 15, 16, 18]].to_numpy().tolist() == [[0, 0], [1, 7], [2, 0], [2, 2]]


def test_work_counts_the_positions_that_there_are(ragged):
    work = decoding_work(ragged)
    assert (work.positions, work.tokens, work.canvases) == (5 * 8 + 4 * 8 + 4 * 3, 19, 3)
    assert work.outside == 0, "the answer fills all of them"
    assert tokens_per_forward(ragged) == 19 / 13


def test_means_are_over_the_canvas(ragged):
    run = ragged.canvas_run(2)
    np.testing.assert_allclose(run.array("mean_entropy"), run.array("entropy").mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(noise_ratios(run), 1 - run.array("accepted").sum(axis=1) / 3)
    assert step_table(run).accepted.max() <= 3


def test_traces_are_compared_as_far_as_their_canvases_agree(ragged):
    same = pair_of(ragged, ragged)
    assert (same.canvases, same.remarks) == (3, ())
    assert divergence(ragged, ragged) is None
    longer = without_end(synthetic_trace(canvases=3, length=8, steps=[[5], [4], [4]], seed=2))
    pair = pair_of(ragged, longer)
    assert pair.canvases == 3
    told = "Canvases of 3 and 8 positions: only the first 3 positions of canvas 2 are compared, and no canvas after it."
    assert pair.remarks[0] == told
    assert pair.differences(1).draft.shape == (4, 8)
    assert pair.differences(2).draft.shape == (4, 3)
    assert not pair.differing_output()[2, 3:].any()
    shorter = without_end(synthetic_trace(canvases=3, length=(5, 8, 3), steps=[[5], [4], [4]], seed=2))
    assert pair_of(ragged, shorter).canvases == 1
    dv.compare(ragged, longer).close()


# -- no decision -------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_a_decision_that_was_not_made(ragged, no_end_decision):
    run, whole = no_end_decision.canvas_run(0), ragged.canvas_run(0)
    assert np.isnan(noise_ratios(run)).tolist() == np.isnan(accepted_counts(run)).tolist() == [False] * 4 + [True]
    np.testing.assert_array_equal(noise_ratios(run)[:4], noise_ratios(whole)[:4])
    assert sum(counts[-1] for counts in transitions(run).values()) == 0
    assert sum(counts[-2] for counts in transitions(run).values()) == 8
    last = step_table(run).iloc[-1]
    for column in ("noise_ratio", "accepted", "budget_used", "budget_left", "next_costs", "candidate_final"):
        assert np.isnan(last[column]), column
    assert last.draft_final == 1
    assert first_change(run, 0.1) is None
    assert why(run, 4, 2) == "the step made no decision: no candidate was sampled and nothing accepted or re-noised"
    assert not [one for one in diagnose(no_end_decision).findings if one.rule == "bound-too-tight" and one.step == 4]


def test_a_missing_decision_is_no_difference(ragged, no_end_decision):
    assert divergence(ragged, no_end_decision) is None
    found = pair_of(ragged, no_end_decision).differences()
    assert not found.candidate.any()
    assert not found.accepted.any()


def test_views_say_that_there_is_none(no_end_decision):
    run = no_end_decision.canvas_run(0)
    assert decision_marks(no_end_decision)[NO_DECISION].label == "no decision"
    assert outcome(run, 4, 0).label == "no decision"
    assert outcome(run, 3, 0).label in {"accepted", "re-noised"}
    for name in ("accepted", "re_noised_again", "candidate_probability"):
        quantity = quantity_of(no_end_decision, name)
        values = quantity.values(run)
        assert np.isnan(values[4]).all()
        assert np.isfinite(values[:4]).all()
        assert quantity.text(values[4, 0]).startswith("no decision")
    assert "step 4 made no decision" in str(figures.entropy_budget(no_end_decision, step=4))
    names = {line.name for line in figures.curves(no_end_decision).data}
    assert {"noise ratio: no decision", "accepted: no decision", "spent: no decision"} <= names
    assert "but not used" not in str(figures.curves(no_end_decision).layout)
    what_if = figures.accepted_by_bound(no_end_decision, bound=1.0)
    assert all(np.isnan(line.y[-1]) for line in what_if.data if len(line.x) and line.x[-1] == 4)
