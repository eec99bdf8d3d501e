"""Positions that a sampler held for good are not open; all are where it chooses anew or the trace does not tell."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.open_positions import given_positions, open_positions
from dgemma_viz.analysis.positions import flips, open_flips, returns
from tests.handmade import handmade_trace, masked_trace

FLICKERING = masked_trace(
    ["x . .", "x a .", "x a .", "x a .", "x a b", "x a b"],
    ["y a b", "x b b", "y a c", "x b b", "y a b"],
)


def test_given_and_unmasked_positions_are_fixed():
    assert open_positions(FLICKERING.canvas_run()).astype(int).tolist() == [
        [0, 1, 1],
        [0, 0, 1],
        [0, 0, 1],
        [0, 0, 1],
        [0, 0, 0],
    ]
    assert given_positions(FLICKERING.canvas_run()).tolist() == [True, False, False]


def test_drafts_at_fixed_positions_do_not_come_back():
    run = FLICKERING.canvas_run()
    assert flips(run).sum(axis=0).tolist() == [4, 4, 2]
    assert open_flips(run).sum(axis=0).tolist() == [0, 0, 2]
    assert returns(run).sum(axis=0).tolist() == [0, 0, 1]


def test_the_tokens_that_were_read_tell_where_decisions_were_not_logged():
    silent = replace(
        FLICKERING,
        accepted=np.zeros_like(FLICKERING.accepted),
        decision=None,
        facts=replace(FLICKERING.facts, absent=("accepted",)),
    )
    assert np.array_equal(open_positions(silent.canvas_run()), open_positions(FLICKERING.canvas_run()))


def test_what_is_masked_again_or_overwritten_was_open_until_then():
    again = masked_trace(["x .", ". a", "x a", "x a"], ["x a", "x a", "x a"]).canvas_run()
    assert open_positions(again).astype(int).tolist() == [[1, 1], [1, 0], [0, 0]]
    overwritten = masked_trace(["x .", "x a", "y a"], ["x a", "y a"]).canvas_run()
    assert open_positions(overwritten)[:, 0].all()


def test_padding_behind_the_end_does_not_make_a_position_open():
    run = masked_trace([". . c", "a <eos> c", "a <eos> <pad>"], ["a <eos> c", "a <eos> c"]).canvas_run()
    assert open_positions(run).astype(int).tolist() == [[1, 1, 0], [0, 0, 0]]


@pytest.mark.parametrize("sampler", ["EntropyBoundSampler", "DiscreteDDIMScheduler", ""])
def test_a_sampler_that_chooses_anew_has_every_position_open(sampler):
    trace = handmade_trace(["a b", "b b", "a b"])
    chosen = replace(trace, facts=replace(trace.facts, sampler=sampler))
    assert open_positions(chosen.canvas_run()).all()
    assert returns(chosen.canvas_run()).sum() == 1


def test_block_refinement_without_logged_decisions_goes_by_what_was_accepted():
    trace = handmade_trace(["a b", "b b", "a b", "b b"])
    noised = np.broadcast_to(trace.emitted[:1], trace.noised.shape)
    sticky = replace(trace, noised=noised, facts=replace(trace.facts, sampler="BlockRefinementScheduler", settings={}))
    assert open_positions(sticky.canvas_run()).astype(int).tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]
    assert not given_positions(sticky.canvas_run()).any()
