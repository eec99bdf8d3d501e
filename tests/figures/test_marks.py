"""Marks differ in form, so that colour is never the only sign."""

from dgemma_viz.figures.marks import ACCEPTED, MARKS, RE_NOISED, outcome


def test_every_form_is_its_own():
    for attribute in ("glyph", "label", "symbol"):
        assert len({getattr(mark, attribute) for mark in MARKS.values()}) == len(MARKS)
    assert ACCEPTED.dash != RE_NOISED.dash


def test_the_outcome_of_a_step():
    assert outcome(accepted=True) is ACCEPTED
    assert outcome(accepted=False) is RE_NOISED
