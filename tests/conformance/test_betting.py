"""The betting test: its guarantee, counted, and its power where it is needed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.conformance.betting import Bets

RNG = np.random.default_rng(2)


def test_right_probabilities_are_rejected_no_more_often_than_said():
    """Looked at after every one of 200 events, 1500 times: at most 5 % (a binomial would exceed 7 % once in 10,000)."""
    rejected = 0
    for _ in range(1500):
        p = RNG.uniform(0, 1, 200)
        bets = Bets(0.05, both_sides=True)
        rejected += bets.place(RNG.random(200) < p, p) is not None
    assert rejected <= 0.07 * 1500


@given(st.floats(0, 1), st.lists(st.booleans(), min_size=1, max_size=5))
def test_the_capital_is_a_fair_bet(p, sizes_drawn):
    """Whatever happened before, the capital expected after one more event is the capital now."""
    bets, before = Bets(1e-300, both_sides=True), len(sizes_drawn)
    bets.place(np.array(sizes_drawn), np.full(before, 0.5))
    capital = {}
    for outcome in (True, False):
        copy = Bets(1e-300, both_sides=True)
        copy.place(np.array([*sizes_drawn, outcome]), np.array([*np.full(before, 0.5), p]))
        capital[outcome] = np.exp(copy._log_capital).sum()
    now = np.exp(bets._log_capital).sum()
    assert p * capital[True] + (1 - p) * capital[False] == pytest.approx(now, rel=1e-6)


def test_five_copies_suffice_in_a_vocabulary_of_a_hundred():
    bets = Bets(5e-7)
    assert bets.place(np.ones(9, bool), np.full(9, 0.02)) == 4
    assert (bets.hits, bets.events) == (5, 5)
    assert bets.place(np.ones(9, bool), np.full(9, 0.02)) is None, "it has already said so"


def test_two_copies_suffice_in_the_released_vocabulary():
    assert Bets(5e-7).place(np.ones(9, bool), np.full(9, 3 / 262_144)) == 1 + 1


def test_evidence_carries_over():
    bets = Bets(5e-7)
    places = [bets.place(np.ones(2, bool), np.full(2, 0.02)) for _ in range(3)]
    assert places == [None, None, 0]


def test_events_that_are_too_seldom():
    assert Bets(1e-6).place(np.zeros(100, bool), np.full(100, 0.5)) is None
    assert 20 <= Bets(1e-6, both_sides=True).place(np.zeros(100, bool), np.full(100, 0.5)) < 40


def test_rounded_probabilities_are_given_the_benefit():
    """Certain but for rounding: one miss in 500 events of logged probability 1 proves nothing."""
    happened = np.ones(500, bool)
    happened[300] = False
    assert Bets(1e-6, both_sides=True, rounding=0.002).place(happened, np.ones(500)) is None
    assert Bets(1e-6, both_sides=True).place(happened[:0], np.ones(0)) is None
