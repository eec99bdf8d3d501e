"""Per-position quantities against a recomputation one position at a time."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.analysis.positions import commit_steps, ever_accepted, flip_counts, flips, re_noised_again
from dgemma_viz.trace import ARRAYS, Trace
from tests.synthetic import synthetic_trace

runs = st.builds(
    lambda length, steps, seed: synthetic_trace(length=length, steps=steps, seed=seed).canvas_run(),
    length=st.integers(1, 8),
    steps=st.integers(1, 8),
    seed=st.integers(0, 9999),
)


def drafts_of(run, position):
    return run.array("draft")[:, position].tolist()


@given(runs)
@settings(max_examples=40)
def test_flips_are_changes_of_draft(run):
    found = flips(run)
    for position in range(run.canvas_length):
        drafts = drafts_of(run, position)
        expected = [False] + [now != before for before, now in itertools.pairwise(drafts)]
        assert found[:, position].tolist() == expected
        assert flip_counts(run)[position] == sum(expected)


@given(runs)
@settings(max_examples=40)
def test_from_the_commit_step_on_the_draft_is_the_last_one(run):
    for position, commit in enumerate(commit_steps(run)):
        drafts = drafts_of(run, position)
        assert set(drafts[commit:]) == {drafts[-1]}
        assert commit == 0 or drafts[commit - 1] != drafts[-1]


@given(runs)
@settings(max_examples=40)
def test_taken_back_means_accepted_before_and_not_now(run):
    accepted, found = run.array("accepted"), re_noised_again(run)
    for step in range(run.n_steps):
        for position in range(run.canvas_length):
            expected = step > 0 and accepted[step - 1, position] and not accepted[step, position]
            assert found[step, position] == expected


@given(runs)
@settings(max_examples=40)
def test_ever_accepted_looks_for_the_emitted_token(run):
    accepted, candidate = run.array("accepted"), run.array("candidate")
    for position, found in enumerate(ever_accepted(run)):
        kept = {int(candidate[s, position]) for s in range(run.n_steps) if accepted[s, position]}
        assert found == (int(run.emitted[position]) in kept)


@pytest.fixture
def ended_before():
    """A run in which no step was active."""
    return synthetic_trace(canvases=2, steps=[[3], [0]], length=5).canvas_run(1)


def test_a_run_without_steps(ended_before):
    assert flips(ended_before).shape == (0, 5)
    assert flip_counts(ended_before).tolist() == [0] * 5
    assert commit_steps(ended_before).tolist() == [-1] * 5
    assert re_noised_again(ended_before).shape == (0, 5)
    assert not ever_accepted(ended_before).any()


def test_a_run_that_was_cut_off_emitted_nothing():
    trace = synthetic_trace()
    values = {name: getattr(trace, name) for name in ARRAYS}
    values |= {"emitted": trace.emitted[:0], "past_end": trace.past_end[:0]}
    assert not ever_accepted(Trace(**values, facts=trace.facts).canvas_run()).any()
    np.testing.assert_array_equal(flips(Trace(**values).canvas_run()), flips(trace.canvas_run()))
