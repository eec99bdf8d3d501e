"""Judged drafts, reliability tables, calibration errors and Brier scores."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.analysis.binned_accuracy import bin_edges, bin_numbers
from dgemma_viz.analysis.calibration import calibration, calibration_per_step
from dgemma_viz.analysis.judged_drafts import judged_drafts, pooled_drafts
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.reliability import brier_score, calibration_error, reliability_table
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.errors import SettingError
from tests.analysis.drafts import drafts_of
from tests.handmade import handmade_trace
from tests.hurried_runs import hurried_runs

NOTHING = drafts_of([], [])


def test_by_hand():
    """Two bins: confidence 0.3 and one of two right, gap 0.2; confidence 0.8 and three of three right, gap 0.2."""
    drafts = drafts_of([0.2, 0.4, 0.7, 0.8, 0.9], [True, False, True, True, True])
    table = reliability_table(drafts, bins=2)
    assert table["count"].tolist() == [2, 3]
    np.testing.assert_allclose(table["mean_confidence"], [0.3, 0.8])
    assert table["accuracy"].tolist() == [0.5, 1]
    assert calibration_error(table) == pytest.approx((2 * 0.2 + 3 * 0.2) / 5)
    assert brier_score(drafts) == pytest.approx((0.64 + 0.16 + 0.09 + 0.04 + 0.01) / 5)
    assert table["runs"].tolist() == [1, 1]
    assert table["runs_low"].isna().all()


def test_a_bin_includes_its_upper_end():
    edges = bin_edges(np.array([0.5]), 10, "width")
    assert bin_numbers(np.array([0, 0.05, 0.1, 0.11, 1.0]), edges).tolist() == [0, 0, 0, 1, 9]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(1, 30), st.sampled_from(["width", "mass"]))
def test_every_draft_is_in_the_bin_that_holds_it(confidence, bins, binning):
    table = reliability_table(drafts_of(confidence, [True] * len(confidence)), bins, binning)
    assert table["count"].sum() == len(confidence)
    assert len(table) <= bins
    held = table[table["count"] > 0]
    assert (held["mean_confidence"] >= held["from_confidence"] - 1e-9).all()
    assert (held["mean_confidence"] <= held["to_confidence"] + 1e-9).all()


def test_bins_of_equal_mass_hold_about_as_many():
    confidence = np.random.default_rng(0).beta(20, 1, 1000)
    table = reliability_table(drafts_of(confidence, confidence > 0.5), 8, "mass")
    assert table["count"].between(124, 126).all()


def test_equal_confidences_share_a_bin():
    table = reliability_table(drafts_of([1.0] * 50 + [0.5] * 3, [True] * 53), 10, "mass")
    assert table["count"].sum() == 53
    assert (reliability_table(drafts_of([1.0] * 50, [True] * 50), 10, "mass")["count"] == 50).all()


@given(st.integers(0, 1000))
@settings(max_examples=25)
def test_perfect_calibration_has_next_to_no_error(seed):
    """The binned error of a perfectly calibrated forecaster is noise: at most 3 sigma a bin, sigma = sqrt(p(1-p)/n)."""
    rng = np.random.default_rng(seed)
    confidence = rng.random(5000)
    drafts = drafts_of(confidence, rng.random(5000) < confidence, run=np.arange(5000) // 50)
    result = calibration(drafts)
    assert result.ece < 3 * 0.5 * np.sqrt(10 / 5000)
    assert result.brier == pytest.approx(1 / 6, abs=0.02)  # the integral of p(1-p)
    assert result.brier_low < 1 / 6 + 0.02
    assert result.brier_low <= result.brier <= result.brier_high


def test_certain_and_wrong_is_as_bad_as_it_gets():
    result = calibration(drafts_of([1.0] * 4, [False] * 4, run=[0, 0, 1, 1]))
    assert (result.ece, result.brier, result.accuracy, result.mean_confidence) == (1, 1, 0, 1)
    assert (result.ece_low, result.ece_high) == (1, 1)


def test_the_error_s_interval_is_that_of_the_binned_error():
    """Each run's bin holds as much surplus as another run's lack: the error of the pool is 0, of resamples not."""
    drafts = drafts_of([0.5, 0.5], [True, False], run=[0, 1])
    result = calibration(drafts, bins=1)
    assert result.ece == 0
    assert (result.ece_low, result.ece_high) == (0, 0.5)


def test_steps_are_told_apart():
    drafts = drafts_of([0.9, 0.9, 0.6, 0.6], [False, False, True, True], step=[0, 0, 2, 2])
    table = calibration_per_step(drafts)
    assert table["step"].tolist() == [0, 2]
    np.testing.assert_allclose(table["ece"], [0.9, 0.4])
    assert table["accuracy"].tolist() == [0, 1]


def test_no_draft_no_numbers():
    assert reliability_table(NOTHING).empty
    assert np.isnan(calibration_error(reliability_table(NOTHING)))
    assert calibration(NOTHING).count == 0
    assert np.isnan([calibration(NOTHING).ece, calibration(NOTHING).brier]).all()
    assert calibration_per_step(NOTHING).empty
    assert len(pooled_drafts([])) == 0


@pytest.mark.parametrize(("bins", "binning"), [(0, "width"), (10**6, "mass"), (10, "depth")])
def test_options_out_of_range_are_refused(bins, binning):
    with pytest.raises(SettingError, match="choose"):
        reliability_table(NOTHING, bins, binning)


def test_drafts_of_a_trace():
    trace = handmade_trace(["x b <eos>", "a b <eos>"], confidence=[0.3, 0.6, 0.9, 0.8, 0.7, np.nan])
    drafts = judged_drafts(trace, judge(trace, "ab"), run=4)
    assert drafts.run.tolist() == [4] * 5
    assert drafts.step.tolist() == [0, 0, 0, 1, 1]
    np.testing.assert_allclose(drafts.confidence, [0.3, 0.6, 0.9, 0.8, 0.7], rtol=1e-6)
    assert drafts.right.tolist() == [False, True, True, True, True]
    assert (drafts.not_finite, drafts.not_judged) == (1, 0)
    assert drafts.at_step(1).right.tolist() == [True, True]


def test_positions_after_the_answer_do_not_count():
    trace = handmade_trace(["a <eos> z z"])
    assert len(judged_drafts(trace, judge(trace, "a"))) == 2


def test_several_canvases_are_pooled_by_their_own_steps():
    trace = handmade_trace(["a b", "a b"], ["c <eos>"])
    drafts = judged_drafts(trace, judge(trace, "abc"))
    assert drafts.step.tolist() == [0, 0, 1, 1, 0, 0]
    assert drafts.right.all()


def test_a_verdict_without_an_answer_is_counted_as_left_out():
    runs = RunSet.of([handmade_trace(["a <eos>"]), handmade_trace(["b <eos>"])], lambda _prompt, text: text == "a")
    drafts = pooled_drafts(runs)
    assert set(drafts.run) == {0}
    assert drafts.not_judged == 1
    assert reliability_table(drafts).attrs["not_judged"] == 1


def test_runs_that_say_nothing_add_nothing():
    cut_off = Run.of(handmade_trace(["a b"], status="failed"), "ab")
    assert len(pooled_drafts([cut_off, Run.unjudged(handmade_trace(["a b"]))])) == 0


def test_real_runs_are_judged_at_every_step():
    runs = hurried_runs()
    drafts = pooled_drafts(runs)
    steps = [run.trace.canvas_run().n_steps for run in runs]
    judged = [int(run.judgement.judged.sum()) for run in runs]
    assert len(drafts) == sum(a * b for a, b in zip(steps, judged, strict=True))
    assert drafts.n_runs == len(runs)
    pooled, per_step = calibration(drafts), calibration_per_step(drafts)
    assert per_step["count"].sum() == pooled.count
    np.testing.assert_allclose((per_step["brier"] * per_step["count"]).sum() / pooled.count, pooled.brier)
    assert pooled.ece_low <= pooled.ece <= pooled.ece_high
