"""Emitted tokens against when they settled and how uncertain the sampler was."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.accuracy_by import accuracy_by
from dgemma_viz.analysis.emitted_tokens import emitted_tokens
from dgemma_viz.analysis.run import Run
from dgemma_viz.errors import SettingError
from tests.handmade import handmade_trace
from tests.hurried_runs import hurried_runs


def test_tokens_of_a_run():
    trace = handmade_trace(["x b <eos>", "a c <eos>", "a c <eos>"], confidence=np.arange(1, 10) / 10)
    tokens = emitted_tokens([Run.of(trace, "ab")])
    assert tokens["position"].tolist() == [0, 1, 2]
    assert tokens["right"].tolist() == [True, False, True]
    assert tokens["commit_step"].tolist() == [1, 1, 0]
    np.testing.assert_allclose(tokens["confidence_at_commit"], [0.4, 0.5, 0.3], rtol=1e-6)
    np.testing.assert_allclose(tokens["entropy_at_commit"], trace.entropy[[1, 1, 0], 0, [0, 1, 2]])


def test_bins_of_commit_steps_double():
    settle = (0, 1, 3, 9)
    history = [" ".join("z" if step >= at else f"n{step}" for at in settle) for step in range(12)]
    table = accuracy_by(emitted_tokens([Run.of(handmade_trace(history), "zzzz")]))
    assert table[["from_value", "to_value"]].to_numpy().tolist() == [[0, 0], [1, 1], [2, 3], [8, 15]]
    assert table["count"].tolist() == [1, 1, 1, 1]
    assert table["accuracy"].tolist() == [1, 1, 1, 1]
    assert table["median"].tolist() == [0, 1, 3, 9]


@pytest.mark.parametrize("by", ["commit_step", "entropy_at_commit"])
def test_every_token_is_in_one_bin(by):
    tokens = emitted_tokens(hurried_runs())
    table = accuracy_by(tokens, by)
    assert table["count"].sum() == len(tokens)
    assert table["right"].sum() == tokens["right"].sum()
    assert (table["from_value"] <= table["median"]).all()
    assert (table["median"] <= table["to_value"]).all()
    assert table.attrs["by"] == by


def test_uncertain_tokens_of_the_bundled_model_are_wrong_more_often():
    accuracy = accuracy_by(emitted_tokens(hurried_runs()), "entropy_at_commit", 2)["accuracy"].tolist()
    assert accuracy[0] > accuracy[1]


def test_values_that_are_not_numbers_are_left_out():
    trace = handmade_trace(["a b <eos>"])
    broken = replace(trace, entropy=np.full_like(trace.entropy, np.nan))
    tokens = emitted_tokens([Run.of(broken, "ab")])
    assert len(tokens) == 3
    assert accuracy_by(tokens, "entropy_at_commit").empty
    assert accuracy_by(tokens, "commit_step")["count"].tolist() == [3]


def test_nothing_to_judge():
    for runs in ([], [Run.unjudged(handmade_trace(["a"]))], [Run.of(handmade_trace(["a"], status="failed"), "a")]):
        tokens = emitted_tokens(runs)
        assert tokens.empty
        assert accuracy_by(tokens).empty
        assert accuracy_by(tokens, "entropy_at_commit").empty


def test_a_wrong_answer_that_nobody_can_place_is_counted():
    tokens = emitted_tokens([Run.of(handmade_trace(["a <eos>"]), lambda _prompt, _text: False)])
    assert tokens.empty
    assert tokens.attrs["not_judged"] == 1
    assert accuracy_by(tokens).attrs["not_judged"] == 1


def test_unknown_columns_are_refused():
    with pytest.raises(SettingError, match="'mood'"):
        accuracy_by(emitted_tokens([]), "mood")
