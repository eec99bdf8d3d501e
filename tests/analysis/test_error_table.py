"""Where each wrong token came from."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from dgemma_viz.analysis.error_table import COLUMNS, error_table
from dgemma_viz.analysis.reference import judge
from tests.handmade import handmade_trace
from tests.story_runs import story_runs


def test_a_right_token_that_was_lost_again():
    """Position 0: x, a, a, x. The right token a is the draft in steps 1 and 2 and given up in step 3."""
    trace = handmade_trace(
        ["x b", "a b", "a b", "x b"], confidence=[0.4, 0.5, 0.6, 0.5, 0.7, 0.5, 0.8, 0.5], second="q"
    )
    row = error_table(trace, judge(trace, "ab")).squeeze()
    assert (row.canvas, row.position, row.emitted, row.expected) == (0, 0, "x", "a")
    assert (row.wrong_from, row.accepted_then, row.accepted_wrong, row.commit_step) == (0, True, 0, 3)
    assert (row.right_first, row.right_last, row.right_steps, row.lost_again) == (1, 2, 2, True)
    assert (row.in_top_k_first, row.best_rank) == (1, 0)
    assert row.best_probability == pytest.approx(0.7, abs=1e-3)
    assert row.confidence_then == pytest.approx(0.4)
    assert row.final_confidence == pytest.approx(0.8)
    assert row.entropy_at_commit == pytest.approx(trace.entropy[3, 0, 0])


def test_a_right_token_that_was_only_the_runner_up():
    trace = handmade_trace(["x b", "x b"], confidence=[0.4, 0.5, 0.6, 0.5], second="a")
    row = error_table(trace, judge(trace, "ab")).squeeze()
    assert row.right_first is pd.NA
    assert (row.right_steps, row.lost_again) == (0, False)
    assert (row.in_top_k_first, row.best_rank) == (0, 1)
    assert row.best_probability == pytest.approx(0.3, abs=1e-3)


def test_a_right_token_that_never_came_up():
    trace = handmade_trace(["x b"], second="q")
    row = error_table(trace, judge(trace, "ab")).squeeze()
    assert row.in_top_k_first is pd.NA
    assert row.best_rank is pd.NA
    assert np.isnan(row.best_probability)


def test_a_wrong_token_that_was_never_accepted():
    trace = handmade_trace(["x b", "x b"])
    trace = replace(trace, accepted=np.zeros_like(trace.accepted), decision=None)
    row = error_table(trace, judge(trace, "ab")).squeeze()
    assert (row.wrong_from, row.accepted_then) == (0, False)
    assert row.accepted_wrong is pd.NA


def test_an_accepted_candidate_that_is_another_token_is_not_the_wrong_token_accepted():
    trace = handmade_trace(["x b", "x b"])
    other = np.array(trace.candidate)
    other[0] = trace.draft[0][:, ::-1]
    row = error_table(replace(trace, candidate=other), judge(trace, "ab")).squeeze()
    assert (row.accepted_then, row.accepted_wrong) == (False, 1)


def test_an_emitted_token_that_never_was_the_draft():
    trace = handmade_trace(["a b"], second="z")
    emitted = np.array(trace.emitted)
    emitted[0, 0, 0] = trace.top_k_ids[0, 0, 0, 1]
    foreign = replace(trace, emitted=emitted)
    row = error_table(foreign, judge(foreign, "ab")).squeeze()
    assert row.wrong_from is pd.NA
    assert row.accepted_then is pd.NA
    assert np.isnan(row.confidence_then)
    assert row.lost_again


def test_an_end_that_comes_too_early_is_a_wrong_token():
    trace = handmade_trace(["a b c", "a <eos> c"])
    row = error_table(trace, judge(trace, "abc")).squeeze()
    assert (row.position, row.emitted, row.expected, row.wrong_from) == (1, "<eos>", "bc", 1)


def test_errors_of_several_canvases_in_reading_order():
    trace = handmade_trace(["a x"], ["y d"])
    table = error_table(trace, judge(trace, "abcd"))
    assert table[["canvas", "position", "emitted"]].to_numpy().tolist() == [[0, 1, "x"], [1, 0, "y"]]


def test_nothing_wrong_no_rows():
    trace = handmade_trace(["a b"])
    cut_off = handmade_trace(["a b"], status="failed")
    for table in (error_table(trace, judge(trace, "ab")), error_table(cut_off, judge(cut_off, "xy"))):
        assert table.empty
        assert table.dtypes.astype(str).to_dict() == COLUMNS


def test_a_canvas_without_steps():
    trace = handmade_trace(["a b", "a b"])
    idle = replace(trace, active=np.zeros_like(trace.active))
    row = error_table(idle, judge(idle, "ax")).squeeze()
    assert row.wrong_from is pd.NA
    assert row.commit_step is pd.NA
    assert np.isnan(row.final_confidence)


def test_real_errors():
    wrong = [run for run in story_runs() if run.right is False]
    assert wrong, "the bundled model gets stories wrong"
    for run in wrong:
        table = error_table(run.trace, run.judgement)
        assert len(table) == run.judgement.wrong.sum()
        assert (table["wrong_from"] <= table["commit_step"]).all()
        seen = table[table["right_first"].notna()]
        assert (seen["best_rank"] == 0).all()
        assert (seen["right_last"] < seen["commit_step"]).all()
        assert (table["lost_again"] == table["right_first"].notna()).all()
        assert "".join(run.output.split()) != "".join(run.judgement.reference.split())
