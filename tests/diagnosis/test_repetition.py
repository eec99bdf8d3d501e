import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.diagnosis.repetition import LOOP_LENGTH, LOOP_TURNS, longest_loop

ids = st.integers(0, 5)


@given(before=st.lists(ids, max_size=8), unit=st.lists(ids, min_size=1, max_size=8), turns=st.integers(4, 12))
def test_a_planted_loop_is_found(before, unit, turns):
    covered, period, start = longest_loop(np.array(before + unit * turns))
    if len(unit) * turns < LOOP_LENGTH:
        assert covered == 0 or covered >= LOOP_LENGTH
        return
    assert covered >= len(unit) * turns
    assert period <= len(unit)
    text = before + unit * turns
    assert text[start : start + covered - period] == text[start + period : start + covered]


@given(st.lists(ids, max_size=120))
def test_what_is_called_a_loop_repeats(text):
    covered, period, start = longest_loop(np.array(text, dtype=int))
    assert covered == 0 or covered >= max(LOOP_LENGTH, LOOP_TURNS * period)
    assert text[start : start + covered - period] == text[start + period : start + covered]


def test_ordinary_repetition_is_no_loop():
    assert longest_loop(np.arange(500)) == (0, 0, 0)
    assert longest_loop(np.array([7] * 10)) == (0, 0, 0), "ten equal digits"
    assert longest_loop(np.array([1, 2] * 8)) == (0, 0, 0), "a table's line of eight columns"
    assert longest_loop(np.tile(np.arange(100), 3)) == (0, 0, 0), "a paragraph said three times"


def test_the_shortest_period_counts():
    assert longest_loop(np.array([1, 2] * 20)) == (40, 2, 0)
    assert longest_loop(np.array([9, *[4] * 30])) == (30, 1, 1)
