"""The betting test: its guarantee, counted, and its power where it is needed."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.conformance import Tolerances
from dgemma_viz.conformance.sequential_test import Bets
from dgemma_viz.conformance.statistical import Draws, Question, Statistical

RNG = np.random.default_rng(2)


def test_right_probabilities_are_rejected_no_more_often_than_said():
    """Looked at after every one of 200 events, 1500 times: at most 5 % (a binomial would exceed 7 % once in 10,000)."""
    rejected = 0
    for _ in range(1500):
        p = RNG.uniform(0, 1, 200)
        bets = Bets(0.05, both_sides=True)
        rejected += bets.place(RNG.random(200) < p, p) is not None
    assert rejected <= 0.07 * 1500


@pytest.mark.parametrize("traces", [1, 4])
def test_pooling_keeps_the_rate_over_traces_and_questions(traces):
    """Conforming sets of traces are accused no more often than said, pooled and alone, by either of two questions."""

    def drawn(_evidence, _run):
        p = RNG.uniform(0, 1, 60)
        return Draws(RNG.random(60) < p, p, np.zeros(60, int), np.arange(60))

    question = Question("draws", "hit", "they are fair", "chance", drawn, both_sides=True)
    check = Statistical(question, question)
    evidence = SimpleNamespace(tolerances=Tolerances(), runs=lambda: [SimpleNamespace(n_steps=1, canvas=0, sample=0)])
    accused = sum(bool(check.judge([(k, evidence) for k in range(traces)], 0.1)[1]) for _ in range(600))
    assert accused <= 0.14 * 600


@given(st.floats(0, 1), st.lists(st.booleans(), min_size=1, max_size=5))
def test_the_capital_is_a_fair_bet(p, sizes_drawn):
    """Whatever happened before, the capital expected after one more event is the capital now."""
    bets, before = Bets(1e-300, both_sides=True), len(sizes_drawn)
    bets.place(np.array(sizes_drawn), np.full(before, 0.5))
    capital = {}
    for outcome in (True, False):
        copy = Bets(1e-300, both_sides=True)
        copy.place(np.array([*sizes_drawn, outcome]), np.array([*np.full(before, 0.5), p]))
        capital[outcome] = copy.capital
    assert p * capital[True] + (1 - p) * capital[False] == pytest.approx(bets.capital, rel=1e-6)


def test_five_copies_suffice_in_a_vocabulary_of_a_hundred():
    bets = Bets(5e-7)
    assert bets.place(np.ones(9, bool), np.full(9, 0.02)) == 4
    assert (bets.hits, bets.events) == (5, 5)
    assert bets.place(np.ones(9, bool), np.full(9, 0.02)) is None, "it has already said so"


def test_three_copies_suffice_in_the_released_vocabulary():
    assert Bets(5e-7).place(np.ones(9, bool), np.full(9, 3 / 262_144)) == 1 + 1


def test_evidence_carries_over():
    bets = Bets(5e-7)
    places = [bets.place(np.ones(2, bool), np.full(2, 0.02)) for _ in range(3)]
    assert places == [None, None, 0]


def test_events_that_are_too_seldom():
    assert Bets(1e-6).place(np.zeros(100, bool), np.full(100, 0.5)) is None
    assert 20 <= Bets(1e-6, both_sides=True).place(np.zeros(100, bool), np.full(100, 0.5)) < 40


def test_what_would_have_been_enough():
    """Told at the fifth copy, had all been copies: after two, three more are needed; from five on, silence counts."""
    bets, none = Bets(5e-7), np.zeros(2, bool)
    bets.place(none, np.full(2, 0.02))
    assert (bets.enough_after, bets.more_needed()) == (None, 3)
    bets.place(np.zeros(9, bool), np.full(9, 0.02))
    assert (bets.enough_after, bets.more_needed(), bets.rejected) == (5, 0, False)


@given(st.floats(0.01, 0.99), st.integers(1, 5))
def test_as_many_more_as_needed_are_enough_and_no_fewer(p, count):
    bets, again = Bets(1e-9, both_sides=True, rounding=0.002), Bets(1e-9, both_sides=True, rounding=0.002)
    assert bets.place(np.ones(count, bool), np.full(count, p)) is None
    total = count + int(bets.more_needed())
    assert again.place(np.ones(total + 9, bool), np.full(total + 9, p)) in (total - 1, total), "rounding of a sum aside"


def test_certain_events_never_tell():
    bets = Bets(1e-6, both_sides=True, rounding=0.002)
    bets.place(np.ones(100, bool), np.full(100, 0.999))
    assert bets.more_needed() == np.inf


def test_rounded_probabilities_are_given_the_benefit():
    """Certain but for rounding: one miss in 500 events of logged probability 1 proves nothing."""
    happened = np.ones(500, bool)
    happened[300] = False
    assert Bets(1e-6, both_sides=True, rounding=0.002).place(happened, np.ones(500)) is None
    assert Bets(1e-6, both_sides=True).place(happened[:0], np.ones(0)) is None
