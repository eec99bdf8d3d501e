"""Healing by hand: what came right again, how soon, and what else changed."""

import numpy as np

from dgemma_viz.analysis.healing import healing, replaceable
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace


def test_healed_and_not_healed_by_hand():
    before = handmade_trace(["a b c d <eos>"] * 4).canvas_run()
    after = handmade_trace(["a b c d <eos>", "x x c d <eos>", "x b c d <eos>", "x b c x <eos>"]).canvas_run()
    found = healing(before, after, 1, [0, 1])
    assert found.healed.tolist() == [False, True]
    assert found.steps.tolist() == [0, 2], "wrong in step 1, right from step 2"
    assert found.spread == 1, "position 3"


def test_a_draft_that_never_gave_in_heals_in_the_step_that_read_the_error():
    run = handmade_trace(["a b <eos>"] * 3).canvas_run()
    assert healing(run, run, 1, [0, 1]).steps.tolist() == [1, 1]


def test_a_relapse_counts_until_it_is_over():
    before = handmade_trace(["a b <eos>"] * 4).canvas_run()
    after = handmade_trace(["a b <eos>", "a b <eos>", "x b <eos>", "a b <eos>"]).canvas_run()
    assert healing(before, after, 1, [0]).steps.tolist() == [3]


def test_a_canvas_that_was_cut_off_says_nothing():
    run = handmade_trace(["a b"] * 3).canvas_run()
    cut = handmade_trace(["a b"] * 3, status="interrupted").canvas_run()
    assert healing(run, cut, 1, [0]) is None
    assert not replaceable(cut, 1).any()


def test_replaceable_tokens_are_decided_read_and_emitted():
    for seed in range(20):
        trace = synthetic_trace(length=16, steps=10, seed=seed)
        run = trace.canvas_run()
        for step in range(12):
            positions = np.flatnonzero(replaceable(run, step))
            if step in (0, 10, 11):
                assert not len(positions)
                continue
            assert run.array("accepted")[step - 1, positions].all()
            assert (run.array("noised")[step, positions] == run.emitted[positions]).all()
            assert not np.isin(run.emitted[positions], trace.facts.eos_token_ids).any()
