"""Marks differ in form, so that colour is never the only sign."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.figures.marks import (
    ACCEPTED,
    CHANGED,
    CORRECTED,
    EDITED,
    KEPT,
    OUTSIDE,
    RE_NOISED,
    TAKEN_BACK,
    UNRECORDED,
    outcome,
    shown_decisions,
)
from dgemma_viz.trace.decision import Decision
from tests.synthetic import synthetic_trace

ALL = (ACCEPTED, RE_NOISED, KEPT, EDITED, CORRECTED, UNRECORDED, CHANGED, TAKEN_BACK, OUTSIDE)


def test_every_form_is_its_own():
    for attribute in ("glyph", "label", "symbol"):
        assert len({getattr(mark, attribute) for mark in ALL}) == len(ALL)
    underlines = [(mark.dash, mark.width) for mark in ALL if mark.dash]
    assert len(set(underlines)) == len(underlines)


def with_decisions(*codes, **facts):
    trace = synthetic_trace(length=len(codes), steps=3)
    decision = np.array(trace.decision)
    decision[1, 0] = codes
    facts = replace(trace.facts, **facts)
    return replace(trace, decision=decision, accepted=decision != Decision.NOISE, facts=facts).canvas_run()


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (None, ["re-noised", "accepted", "kept", "edited", "corrected"]),
        (5, ["masked", "unmasked", "kept", "edited", "corrected"]),
    ],
)
def test_the_outcome_of_a_step_in_the_words_of_its_noise(mask, words):
    run = with_decisions(*Decision, mask_token_id=mask)
    assert [outcome(run, 1, position).label for position in range(5)] == words
    assert shown_decisions(run) == [1, 0, 2, 3, 4]


def test_what_was_not_logged_is_not_called_re_noised():
    run = with_decisions(0, 0, 0, 0, 0, absent=("accepted",))
    assert outcome(run, 1, 2) is UNRECORDED
    assert shown_decisions(run) == [1, 0, 255]
