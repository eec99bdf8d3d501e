"""Rates of acceptance: of all drafts or given those before, and what each kind makes of the same number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.costs import Acceptance
from dgemma_viz.costs.acceptance import GB10
from dgemma_viz.errors import SettingError

rates = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_the_same_number_means_two_speeds():
    assert Acceptance.average(0.31, 4).tokens_a_pass == pytest.approx(2.24)
    assert Acceptance.constant(0.31, 4).tokens_a_pass == pytest.approx(1.45, abs=0.005)


def test_published_rates_by_position_are_summed_not_multiplied():
    assert GB10.tokens_a_pass == pytest.approx(1 + 0.844 + 0.599 + 0.385 + 0.271)


@given(conditional=rates)
def test_conditional_rates_are_products_of_all_drafts(conditional):
    found = Acceptance.given_those_before(conditional)
    assert found.drafted == len(conditional)
    product = 1.0
    for rate, of_all in zip(conditional, found.of_all, strict=True):
        product *= rate
        assert of_all == pytest.approx(product)
    assert 1 <= found.tokens_a_pass <= 1 + found.drafted


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Acceptance((0.8, -0.1)), "an acceptance of -0.1"),
        (lambda: Acceptance((1.1,)), "an acceptance of 1.1"),
        (lambda: Acceptance(()), "drafted tokens"),
        (lambda: Acceptance((0.6, 0.8)), "given_those_before"),
        (lambda: Acceptance.constant(0.8, 0), "drafted tokens"),
        (lambda: Acceptance.average(0.8, 1.5), "drafted tokens"),
    ],
)
def test_the_impossible_is_refused(make, message):
    with pytest.raises(SettingError, match=message):
        make()
