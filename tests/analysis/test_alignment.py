"""Several runs beside a base run: parted where the drafts part, and told what differed first."""

import numpy as np
import pytest

from dgemma_viz.analysis.alignment import NEVER, first_divergences, parted_at
from dgemma_viz.analysis.divergence import divergence
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.same_seed import same_seed
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace

PROMPT = TASKS["story"].example_prompts[0]


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.fixture(scope="module")
def runs(tiny):
    settings = {"base": {}, "the same": {"entropy_bound": 0.1}, "one step": {"max_denoising_steps": 1}}
    return same_seed(*tiny, PROMPT, settings, seed=3)


def test_parted_by_hand():
    base, other = handmade_trace(["a b c", "a b c", "x b c"]), handmade_trace(["a b c", "a x c", "a b c"])
    assert parted_at(base, other).tolist() == [2, 1, NEVER]


def test_a_run_that_has_stopped_keeps_its_last_draft():
    base, other = handmade_trace(["a b", "a b", "a x"]), handmade_trace(["a b"])
    assert parted_at(base, other).tolist() == [NEVER, 2]
    assert parted_at(other, base).tolist() == [NEVER, 2]


def test_a_canvas_that_one_does_not_have():
    assert parted_at(handmade_trace(["a b"], ["a b"]), handmade_trace(["a b"]), canvas=1).tolist() == []


def test_one_seed_and_the_same_setting_is_the_same_run(runs):
    assert (parted_at(runs["base"], runs["the same"]) == NEVER).all()
    table = first_divergences(runs["base"], runs).set_index("run")
    assert table.loc[["base", "the same"], "step"].isna().all()
    assert table.loc[["base", "the same"], "same_output"].all()


def test_another_setting_is_named_with_its_first_difference(runs):
    table = first_divergences(runs["base"], runs).set_index("run")
    first = divergence(runs["base"], runs["one step"])
    row = table.loc["one step"]
    assert (row["canvas"], row["step"], row["cause"]) == (first.canvas, first.step, first.cause)
    assert row["what"] == first.what
    assert row["steps"] == 1
    assert row["output"] == runs["one step"].output_text()


def test_runs_of_one_seed_begin_alike(runs):
    starts = [trace.noised[0] for trace in runs.values()]
    assert all(np.array_equal(starts[0], start) for start in starts)


def test_settings_are_judged_before_anything_runs(tiny):
    with pytest.raises(SettingError, match="no setting to run"):
        same_seed(*tiny, PROMPT, {})
    with pytest.raises(SettingError, match="max_denoising_steps of 0"):
        same_seed(None, None, PROMPT, {"good": {}, "bad": {"max_denoising_steps": 0}})
    with pytest.raises(SettingError, match="no sampler 'best'"):
        same_seed(None, None, PROMPT, {"bad": {"sampler": "best"}})


def test_other_vocabularies_are_refused():
    with pytest.raises(TraceError, match="vocabular"):
        parted_at(synthetic_trace(), handmade_trace(["p q"]))
