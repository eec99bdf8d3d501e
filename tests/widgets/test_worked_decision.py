"""The worked decision shows the numbers of the place that the reader chooses."""

import pytest

from dgemma_viz.analysis.one_decision import one_decision
from dgemma_viz.errors import SettingError
from dgemma_viz.widgets.worked_decision import WorkedDecision
from tests.synthetic import NASTY_TEXTS, synthetic_trace


def test_it_follows_step_and_position():
    trace = synthetic_trace(length=12, steps=6, seed=2)
    run, view = trace.canvas_run(), WorkedDecision(trace)
    for step, position in ((0, 0), (3, 7), (5, 11)):
        view.step.value, view.position.value = step, position
        made = one_decision(run, step, position)
        assert f"{made.rank} of 12" in view.said.value
        assert f"{made.entropy:.3g} nats" in view.said.value.replace("\N{MINUS SIGN}", "-")
        word, other = ("accepted", "re-noised") if made.accepted else ("re-noised", "accepted")
        assert f"<b>{word}</b>" in view.said.value
        assert f"<b>{other}</b>" not in view.said.value


def test_tokens_are_text():
    view = WorkedDecision(synthetic_trace(texts=NASTY_TEXTS, length=40, steps=3))
    for _label, position in view.position.options:
        view.position.value = position
        assert "<script" not in view.said.value
        assert "<img" not in view.said.value


def test_a_place_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="no step 9"):
        WorkedDecision(synthetic_trace(length=4, steps=3), step=9)
