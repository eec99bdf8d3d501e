"""Wilson's interval against scipy, and the bootstrap over runs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from dgemma_viz.analysis.intervals import bootstrap_over_runs, ratio, wider, wilson
from dgemma_viz.errors import SettingError


@given(
    st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from([0.5, 0.95, 0.99])
)
def test_wilson_is_scipy_s(counts, level):
    ours = wilson(*counts, level)
    scipy = binomtest(*counts).proportion_ci(level, method="wilson")
    np.testing.assert_allclose(ours, (scipy.low, scipy.high), rtol=1e-9, atol=1e-12)


def test_wilson_of_arrays_and_of_nothing():
    low, high = wilson([0, 5, 0], [10, 10, 0])
    assert low[0] == 0
    assert 0 < low[1] < 0.5 < high[1] < 1
    assert np.isnan([low[2], high[2]]).all()


def mean(sums):
    return ratio(sums[:, 0], sums[:, 1])


def test_runs_are_drawn_whole():
    """Ten runs of 100 items each, all right or all wrong: as little is known as from ten items, not a thousand."""
    sums = np.array([[100, 100]] * 5 + [[0, 100]] * 5)
    low, high = bootstrap_over_runs(sums, mean)
    naive = wilson(500, 1000)
    assert low < 0.3
    assert high > 0.7
    assert naive[1] - naive[0] < 0.07


@given(st.floats(0.1, 0.9), st.integers(0, 10))
@settings(max_examples=20)
def test_the_bootstrap_of_independent_runs_is_about_as_wide_as_wilson_s(p, seed):
    right = np.random.default_rng(seed).random(400) < p
    low, high = bootstrap_over_runs(np.column_stack([right, np.ones(400)]), mean)
    exact = wilson(right.sum(), 400)
    np.testing.assert_allclose([low, high], exact, atol=0.02)


def test_less_than_two_runs_give_no_interval():
    for sums in (np.zeros((0, 2)), np.array([[3, 4]])):
        assert np.isnan(bootstrap_over_runs(sums, mean)).all()


def test_what_most_resamples_do_not_reach_has_no_interval():
    sums = np.array([[0, 0]] * 5 + [[1, 1]])

    def both(totals):
        return np.stack([mean(totals), totals.sum(axis=1)], axis=1)

    low, high = bootstrap_over_runs(np.vstack([sums, np.zeros((6, 2))]), both)
    assert np.isfinite([low[1], high[1]]).all()
    few = np.array([[0, 0]] * 2 + [[1, 1]])
    low, high = bootstrap_over_runs(few, both)
    assert (low[0], high[0]) == (1, 1)


def test_same_seed_same_interval():
    sums = np.random.default_rng(0).random((20, 2))
    assert bootstrap_over_runs(sums, mean, seed=3) == bootstrap_over_runs(sums, mean, seed=3)


@pytest.mark.parametrize("level", [0, 1, -0.5, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(SettingError, match="confidence level"):
        wilson(1, 2, level)


def test_the_wider_interval_covers_both():
    low, high = wider((np.array([0.1, np.nan]), np.array([0.5, np.nan])), (np.array([0.2, 0.3]), np.array([0.6, 0.4])))
    assert low.tolist() == [0.1, 0.3]
    assert high.tolist() == [0.6, 0.4]
