"""Analyses of one canvas run: by hand, by invariants over simulated runs, and on a real one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

import dgemma_viz as dv
from dgemma_viz.analysis.drift import binned_divergence, kl_to_final, kl_to_previous
from dgemma_viz.analysis.order import decoding_order, neighbour_effect
from dgemma_viz.analysis.positions import answer_positions, commit_steps, confidence_gaps, re_noised_again, returns
from dgemma_viz.analysis.step_table import TRANSITIONS, step_table, transitions
from dgemma_viz.analysis.stop_conditions import entropy_over_threshold, held_back_by, steps_to_stable
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace

SIMULATED = st.builds(
    lambda seed, length, steps: synthetic_trace(seed=seed, length=length, steps=steps).canvas_run(),
    st.integers(0, 999),
    st.integers(1, 14),
    st.integers(1, 9),
)


def run_of_drafts(drafts, emitted=None):
    """A canvas run with these drafts, one row of token ids a step; the last one emitted unless told otherwise."""
    drafts = np.asarray(drafts)
    trace = synthetic_trace(length=drafts.shape[1], steps=[[len(drafts)]])
    emitted = drafts[-1] if emitted is None else np.asarray(emitted)
    return replace(trace, draft=drafts[:, None], emitted=emitted[None, None]).canvas_run()


def empty_run():
    return synthetic_trace(canvases=2, samples=2, steps=[[3, 2], [3, 0]]).canvas_run(1, 1)


@pytest.fixture(scope="module")
def real():
    return run(*dv.load_tiny(), TASKS["story"].example_prompts[1], seed=0).canvas_run()


def test_returns_by_hand():
    run = run_of_drafts([[5, 5, 5], [6, 5, 6], [5, 5, 7], [6, 6, 5], [6, 5, 5]])
    assert returns(run).sum(axis=0).tolist() == [2, 1, 1]
    assert np.argwhere(returns(run)[:, 2]).tolist() == [[3]]


def test_a_return_counts_as_sure_where_the_token_was_decided_before_and_after():
    drafts = ["a a a", "b b b", "b b b", "a a a", "a a a"]
    confidence = [[0.95, 0.95, 0.5], [0.6, 0.6, 0.9], [0.9, 0.9, 0.9], [0.6, 0.6, 0.9], [0.97, 0.8, 0.9]]
    run = handmade_trace(drafts, confidence=confidence).canvas_run()
    assert returns(run).sum(axis=0).tolist() == [1, 1, 1]
    assert np.argwhere(returns(run, 0.9)).tolist() == [[3, 0]]


def test_the_answer_ends_with_its_first_end_token():
    assert answer_positions(run_of_drafts([[5, 6, 1, 1, 0]])).tolist() == [True, True, True, False, False]
    assert answer_positions(run_of_drafts([[5, 6, 7]])).all()
    assert answer_positions(run_of_drafts([[1, 6, 7]])).tolist() == [True, False, False]


@given(
    p=hnp.arrays(float, 6, elements=st.floats(0.01, 1)),
    q=hnp.arrays(float, 6, elements=st.floats(0.01, 1)),
    kept=st.integers(1, 6),
)
def test_the_binned_divergence_never_exceeds_the_true_one_and_meets_it_with_all_tokens(p, q, kept):
    p, q = p / p.sum(), q / q.sum()
    true = float((p * np.log(p / q)).sum())
    order_p, order_q = np.argsort(-p)[:kept], np.argsort(-q)[:kept]
    found = float(binned_divergence(order_p, p[order_p], order_q, q[order_q]))
    assert 0 <= found <= true + 1e-9
    if kept == 6:
        assert found == pytest.approx(true, abs=1e-9)


@settings(max_examples=30)
@given(SIMULATED)
def test_drift_is_nothing_at_the_end_and_unknown_at_the_start(run):
    assert (kl_to_final(run)[-1] < 1e-6).all()
    assert np.isnan(kl_to_previous(run)[0]).all()
    assert (kl_to_previous(run)[1:] >= 0).all()


def test_a_distribution_that_stays_does_not_drift():
    run = synthetic_trace(length=4, steps=3).canvas_run()
    trace = run.trace
    still = {name: np.repeat(getattr(trace, name)[:1], 3, axis=0) for name in ("top_k_ids", "top_k_probabilities")}
    same = replace(trace, **still).canvas_run()
    assert (kl_to_previous(same)[1:] < 1e-6).all()
    assert (kl_to_final(same) < 1e-6).all()


def test_transitions_by_hand():
    trace = synthetic_trace(length=4, steps=[[3]])
    accepted = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0]], dtype=bool)
    counts = transitions(replace(trace, accepted=accepted[:, None], decision=None).canvas_run())
    assert {kind: counts[kind].tolist() for kind in TRANSITIONS} == {
        "accept_accept": [0, 1, 2],
        "accept_re_noise": [0, 1, 0],
        "re_noise_accept": [0, 1, 1],
        "re_noise_re_noise": [0, 1, 1],
    }


def test_what_held_a_step_back():
    trace = synthetic_trace(length=3, steps=[[4]])
    arrays = {
        "stable_steps": np.array([[0], [2], [0], [2]]),
        "mean_entropy": np.array([[0.01], [0.01], [0.001], [0.001]]),
    }
    settings_asked = {"stability_threshold": 2, "confidence_threshold": 0.005}
    run = replace(trace, **arrays, facts=replace(trace.facts, settings=settings_asked)).canvas_run()
    assert held_back_by(run) == ["both", "confidence", "stability", "nothing"]
    assert steps_to_stable(run).tolist() == [2, 0, 2, 0]
    np.testing.assert_allclose(entropy_over_threshold(run), [2, 2, 0.2, 0.2], rtol=1e-5)
    for missing in ({}, {"stability_threshold": None, "confidence_threshold": 0.1}, {"stability_threshold": "x"}):
        assert set(held_back_by(replace(trace, facts=replace(trace.facts, settings=missing)).canvas_run())) == {
            "no stop rule"
        }


def test_the_recorded_end_is_what_the_conditions_say(real):
    assert real.array("finished")[-1]
    assert held_back_by(real)[-1] == "nothing"
    assert "nothing" not in held_back_by(real)[:-1]


@pytest.mark.parametrize(
    ("commits", "regime", "tau"),
    [
        ([0, 1, 2, 3, 4, 5], "left to right", 1.0),
        ([5, 4, 3, 2, 1, 0], "right to left", -1.0),
        ([5, 5, 5, 0, 5, 5], "late burst", None),
        ([2, 2, 2, 2, 2, 2], "at once", None),
        ([3, 1, 5, 0, 4, 2], "any order", None),
    ],
)
def test_decoding_orders(commits, regime, tau):
    steps, drafts = 6, np.full((6, 6), 7)
    for position, commit in enumerate(commits):
        drafts[:commit, position] = 8 + np.arange(commit) % 2
    run = run_of_drafts(drafts)
    assert commit_steps(run).tolist() == commits
    found = decoding_order(run)
    assert found.regime == regime
    assert found.positions == 6
    if tau is not None:
        assert found.kendall == pytest.approx(tau)
        assert found.spearman == pytest.approx(tau)
        assert found.neighbour_effect > 0
        assert found.parallelism == 1
    if len(set(commits)) > 1:
        assert found.kendall == pytest.approx(stats.kendalltau(range(steps), commits).statistic)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 4), min_size=4, max_size=9), st.integers(0, 99))
def test_a_random_order_has_no_neighbour_effect_on_average(commits, seed):
    rng = np.random.default_rng(seed)
    effects = [neighbour_effect(rng.permutation(commits)) for _ in range(400)]
    if len(set(commits)) == 1:
        assert np.isnan(effects).all()
    else:
        assert np.mean(effects) == pytest.approx(0, abs=5 * np.std(effects) / 20 + 1e-9)


def test_lengths_and_what_is_final_already_by_hand():
    lengths = step_table(run_of_drafts([[5, 1, 6, 1], [5, 6, 6, 6], [5, 6, 1, 0]]))["drafted_length"]
    assert lengths.tolist() == [1, 4, 2]
    final = step_table(run_of_drafts([[5, 6, 7], [5, 8, 7]], emitted=[5, 8, 9]))["draft_final"]
    assert final.tolist() == pytest.approx([1 / 3, 2 / 3])


@settings(max_examples=30)
@given(SIMULATED)
def test_the_columns_of_a_step_agree_with_each_other(run):
    steps = step_table(run)
    assert len(steps) == run.n_steps
    assert steps["accept_re_noise"].sum() == re_noised_again(run).sum()
    assert (steps[list(TRANSITIONS)].iloc[1:].sum(axis=1) == run.canvas_length).all()
    assert (steps["next_costs"].dropna() > 0).all()


def test_a_real_run_in_numbers(real):
    steps = step_table(real)
    assert steps["draft_final"].iloc[-1] == 1
    assert steps["settled"].iloc[-1] == real.canvas_length
    assert (confidence_gaps(real) >= 0).all()


def test_a_run_without_steps_gives_empty_results():
    run = empty_run()
    assert step_table(run).empty
    assert decoding_order(run).regime is None
    assert kl_to_final(run).shape == kl_to_previous(run).shape == (0, run.canvas_length)


def test_one_alternative_has_no_gap():
    trace = synthetic_trace(length=3, steps=2)
    one = replace(trace, top_k_ids=trace.top_k_ids[..., :1], top_k_probabilities=trace.top_k_probabilities[..., :1])
    assert np.isnan(confidence_gaps(one.canvas_run())).all()
