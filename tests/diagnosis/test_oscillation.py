"""What is an oscillation: coming back to what the model was once sure of, or coming back until the steps ran out."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.diagnosis import Severity, diagnose
from tests.handmade import handmade_trace

TURNS = ["x a", "y a", "x a", "y a", "x a", "y a", "x a", "x a"]
"""The first position comes back five times, and then stays."""


def shaken(sure, *, steps=TURNS, limit=48, stopped=True):
    """A run of these drafts, the first position with one confidence a step; whether the stop rule ended it."""
    trace = handmade_trace(steps, confidence=[[here, 0.99] for here in sure])
    finished = np.zeros_like(trace.finished)
    finished[-1] = stopped
    settings = {**trace.facts.settings, "max_denoising_steps": limit}
    return replace(trace, finished=finished, facts=replace(trace.facts, settings=settings))


def oscillation(trace):
    return next((finding for finding in diagnose(trace) if finding.rule == "oscillation"), None)


def test_a_draft_that_wanders_while_nothing_is_decided_is_no_fault():
    assert oscillation(shaken([0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.99])) is None


def test_what_was_sure_and_given_up_and_taken_again_is_one():
    found = oscillation(shaken([0.95] * 8))
    assert found.severity == Severity.WARNING
    assert (found.step, found.positions) == (2, (0,))
    assert found.evidence["sure_returns"] == 5
    assert "0.95" in found.what


def test_coming_back_to_a_passing_guess_does_not_count_however_sure_the_other_was():
    """Sure of y alone: only the returns to it are a change of mind."""
    found = oscillation(shaken([0.3, 0.95] * 3 + [0.3, 0.3]))
    assert found.evidence["sure_returns"] == 2
    assert found.step == 3


def test_doubt_that_lasts_until_the_steps_have_run_out_is_one():
    unsure = [0.3] * len(TURNS)
    assert oscillation(shaken(unsure, limit=len(TURNS), stopped=True)) is None
    assert oscillation(shaken(unsure, limit=48, stopped=False)) is None, "it was cut off, and had steps left"
    found = oscillation(shaken(unsure, limit=len(TURNS), stopped=False))
    assert found.severity == Severity.WARNING
    assert found.positions == (0,)
    assert "steps ran out" in found.what


@pytest.mark.parametrize("known", [True, False])
def test_without_a_confidence_nothing_is_said_to_have_been_sure(known):
    trace = shaken([0.95] * 8)
    if not known:
        trace = replace(trace, confidence=np.full_like(trace.confidence, np.nan))
    assert (oscillation(trace) is not None) is known
