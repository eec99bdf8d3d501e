"""Accuracy by task, prompt and seed."""

import numpy as np
import pytest

from dgemma_viz.analysis.accuracy_over_runs import accuracy_over_runs
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.errors import SettingError
from tests.handmade import handmade_trace
from tests.hurried_runs import SEEDS, grid_prompts, hurried_runs


def test_by_hand():
    traces = [
        handmade_trace(["a b"], prompt="one", seed=1),
        handmade_trace(["a b", "a c"], prompt="one", seed=2),
        handmade_trace(["x y"], prompt="two", seed=1),
        handmade_trace(["x y"], prompt="two", seed=2, status="failed"),
    ]
    runs = RunSet.of(traces, "ab")
    row = accuracy_over_runs(runs).squeeze()
    assert (row.runs, row.prompts, row.not_judged, row.right, row.ever_right) == (3, 2, 1, 1, 2)
    assert row.accuracy == pytest.approx(1 / 3)
    assert (row.low, row.high) == tuple(float(end) for end in wilson(1, 3))
    assert row.mean_steps == pytest.approx(4 / 3)
    per_prompt = accuracy_over_runs(runs, "prompt").set_index("prompt")
    assert per_prompt["accuracy"].to_dict() == {"one": 0.5, "two": 0}
    assert per_prompt["ever_accuracy"].to_dict() == {"one": 1, "two": 0}
    assert per_prompt["prompts_low"].isna().all()
    per_seed = accuracy_over_runs(runs, "seed").set_index("seed")
    assert per_seed["not_judged"].to_dict() == {1: 0, 2: 1}


def test_prompts_that_differ_widen_the_interval():
    """Two prompts always right, two always wrong, fifty seeds each: more seeds tell no more about prompts."""
    traces = [handmade_trace(["a b" if prompt < 2 else "x y"], prompt=str(prompt)) for prompt in range(4)]
    one_each = RunSet.of(traces, "ab")
    row = accuracy_over_runs(RunSet(one_each.runs * 50)).squeeze()
    assert row.high - row.low < 0.15
    assert row.prompts_high - row.prompts_low > 0.7


def test_groups_without_judged_runs_have_no_numbers():
    row = accuracy_over_runs(RunSet.of([handmade_trace(["a"])])).squeeze()
    assert (row.runs, row.not_judged) == (0, 1)
    assert np.isnan([row.accuracy, row.low, row.mean_steps]).all()


def test_no_runs_no_rows():
    for by in ("all", "task", "prompt", "seed"):
        assert accuracy_over_runs([], by).empty


def test_unknown_groupings_are_refused():
    with pytest.raises(SettingError, match="'mood'"):
        accuracy_over_runs([], "mood")


def test_real_runs():
    runs = hurried_runs()
    right = [run.right for run in runs]
    assert accuracy_over_runs(runs, "task").squeeze()["right"] == sum(right)
    assert accuracy_over_runs(runs, "prompt")["runs"].tolist() == [len(SEEDS)] * len(grid_prompts())
    seeds = accuracy_over_runs(runs, "seed")
    assert seeds["right"].sum() == sum(right)
    assert (seeds["ever_right"] >= seeds["right"]).all()
