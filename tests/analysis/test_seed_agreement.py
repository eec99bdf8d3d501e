"""Votes of several seeds: per position, and on whole answers."""

import math

import pytest

from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.analysis.seed_agreement import seed_agreement
from dgemma_viz.errors import SettingError
from tests.handmade import handmade_trace
from tests.hurried_runs import grid_prompts, hurried_runs


def runs_of(*outputs, reference=None, **options):
    return RunSet.of([handmade_trace([output], **options) for output in outputs], reference)


def test_votes_by_hand():
    table = seed_agreement(runs_of("a b <eos>", "a c <eos>", "a c <eos>", "a <eos> q"))
    assert table["token"].tolist() == ["a", "c"]
    assert table["votes"].tolist() == [4, 2]
    assert table["tokens"].tolist() == [1, 3]
    assert table["vote_entropy"].tolist() == pytest.approx([0, 0.5 * math.log(2) + 0.5 * math.log(4)])
    assert table["pair_agreement"].tolist() == pytest.approx([1, 2 / 12])


def test_where_most_answers_have_ended():
    table = seed_agreement(runs_of("a b <eos>", "a <eos> q", "a <eos> q"))
    assert table["token"].tolist() == ["a", ""]
    assert table["ended"].tolist() == [False, True]
    assert table["votes"].tolist() == [3, 2]


def test_canvases_are_counted_on():
    table = seed_agreement(RunSet.of([handmade_trace(["a b"], ["c <eos>"])]))
    assert table[["canvas", "position"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0]]
    assert table["pair_agreement"].isna().all()


def test_a_run_that_was_cut_off_has_no_say_on_what_it_did_not_emit():
    table = seed_agreement(RunSet.of([handmade_trace(["a b"], status="failed"), handmade_trace(["a b"])]))
    assert table["runs"].tolist() == [1, 1]


def test_no_runs_no_votes():
    assert seed_agreement(RunSet()).empty


def test_several_prompts_are_not_mixed():
    with pytest.raises(SettingError, match="choose one"):
        seed_agreement(hurried_runs())


def test_real_runs():
    for prompt in grid_prompts():
        runs = hurried_runs().where(prompt=prompt)
        table = seed_agreement(runs)
        outputs = {run.output for run in runs}
        assert (table["tokens"].max() == 1) == (len(outputs) == 1)
        assert table["share"].between(1 / len(runs), 1).all()
