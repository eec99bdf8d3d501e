"""One decision in numbers: each line follows from those before it, and all agree with what the run recorded."""

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.one_decision import one_decision
from dgemma_viz.errors import SettingError
from dgemma_viz.tiny.tasks import TASKS
from tests.synthetic import synthetic_trace, undecided

HALF = 2e-3
"""Probabilities of a trace have 16 bits; their terms in a sum of entropies are this near."""


@pytest.fixture(scope="module")
def recorded():
    return dv.run(*dv.load_tiny(), TASKS["story"].example_prompts[1], seed=0).canvas_run()


def places(run):
    """All positions of a few steps, early and late."""
    steps = sorted({0, run.n_steps // 2, run.n_steps - 1})
    return [(step, position) for step in steps for position in range(run.canvas_length)]


def test_every_decision_of_a_real_run_follows_from_its_numbers(recorded):
    for step, position in places(recorded):
        made = one_decision(recorded, step, position)
        surer = np.sort(recorded.array("entropy")[step])[: made.rank - 1]
        assert made.spent == pytest.approx(float(surer.sum()), abs=1e-4)
        assert made.accepted == bool(recorded.array("accepted")[step, position])
        assert made.accepted == (made.spent <= made.bound)


def test_probabilities_and_entropies_add_up(recorded):
    for step, position in places(recorded):
        made = one_decision(recorded, step, position)
        tokens = made.tokens
        assert tokens["probability"].sum() == pytest.approx(1, abs=HALF)
        assert tokens["entropy"].sum() == pytest.approx(made.entropy, abs=2 * HALF)
        assert tokens["probability"].iloc[0] == pytest.approx(made.confidence, abs=HALF)


def test_the_scaled_logits_give_the_probabilities_again(recorded):
    made = one_decision(recorded, 0, 3)
    shown = made.tokens[:-1]
    assert shown["scaled"].to_numpy() == pytest.approx(shown["logit"].to_numpy() / made.temperature)
    weights = np.exp(shown["scaled"])
    assert (weights / weights.sum() * shown["probability"].sum()).to_numpy() == pytest.approx(
        shown["probability"].to_numpy()
    )


def test_draft_and_candidate_are_named_in_the_table(recorded):
    for position in range(recorded.canvas_length):
        made = one_decision(recorded, 0, position)
        roles = {role for cell in made.tokens["role"] for role in cell.split(", ") if role}
        assert roles == {"draft", "candidate"}
        draft = made.tokens.loc[made.tokens["role"].str.contains("draft"), "token"]
        assert draft.tolist() == [made.draft]


def test_a_place_that_is_not_there_and_a_step_without_a_decision_are_refused():
    trace = synthetic_trace(length=5, steps=4)
    for step, position in ((4, 0), (0, 5), (-1, 0)):
        with pytest.raises(SettingError, match="no step"):
            one_decision(trace.canvas_run(), step, position)
    with pytest.raises(SettingError, match="made no decision"):
        one_decision(undecided(trace, 1).canvas_run(), 1, 0)
