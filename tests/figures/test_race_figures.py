"""Figures of a race between ways of decoding: they say what the traces and tables say."""

import numpy as np
import pandas as pd
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import measured_times, race_bars, race_track
from dgemma_viz.labs import decoding

LIST = "list Sam: (a) green kite (b) green cup (c) pink kite (d) black ball (e) blue cup (f) gold hat (g) white doll"


@pytest.fixture(scope="module")
def raced():
    return decoding.race(*dv.load_tiny(), [LIST, "sort 53918="], repeats=1)


@pytest.fixture(scope="module")
def runs(raced):
    return raced.of(LIST)


def z_of(frame):
    return np.array(frame.data[0].z, dtype=float)


def test_each_frame_shows_what_stands_after_so_many_forwards(runs):
    figure = race_track({name: run.trace for name, run in runs.items()})
    forwards = {name: run.trace.n_steps for name, run in runs.items()}
    assert len(figure.frames) == max(forwards.values()) + 1
    length = len(runs["autoregressive"].trace.output_ids()) + 1
    for number, frame in enumerate(figure.frames):
        one, drafts, canvas = z_of(frame)
        assert (one[:length] == 2).sum() == min(number, length)
        assert np.nan_to_num(one)[number:].sum() == 0  # left to right
        if number == forwards["drafted"]:
            assert (drafts[:length] == 2).all()
        if number == 1:
            assert (canvas[:48] > 0).all()  # a whole canvas at once
            assert (canvas[48:length] == 0).all()
    assert (z_of(figure.frames[-1])[:, :length] == 2).all()
    assert f"autoregressive {length}" in figure.layout.title.subtitle.text


def test_the_clock_may_be_wall_time(runs):
    seconds = {name: run.seconds for name, run in runs.items()}
    figure = race_track({name: run.trace for name, run in runs.items()}, "seconds", seconds, theme="dark")
    assert float(figure.frames[-1].name) == pytest.approx(1e3 * max(seconds.values()), abs=0.06)
    assert np.nansum(z_of(figure.frames[0])) == 0


def test_bars_are_the_summary(raced):
    summary = raced.summary()
    figure = race_bars(summary)
    assert list(figure.data[0].x) == summary["forwards"].tolist()
    for place, share in ((2, "refined_share"), (3, "outside_share")):
        assert figure.data[place].x == pytest.approx(100 * summary[share].to_numpy())
    unknown = race_bars(summary.assign(right=np.nan))
    assert set(unknown.data[-1].text) == {"unknown"}


def test_measured_times_name_who_leads_from_where():
    rows = [("<one>", n, n / 100) for n in (1, 8, 64)] + [("canvas", n, 0.05) for n in (1, 8, 64)]
    figure = measured_times(pd.DataFrame(rows, columns=["way", "length", "seconds"]))
    text = figure.layout.title.subtitle.text
    assert "from 1: &lt;one&gt;" in text
    assert "from 8: canvas" in text
    assert list(figure.data[1].y) == [50, 50, 50]
    table = pd.DataFrame(rows, columns=["way", "batch", "tokens_per_second"])
    assert "from 1: canvas<br>from 8: &lt;one&gt;" in measured_times(table, "batch").layout.title.subtitle.text


def test_the_fastest_round_is_drawn_and_a_bar_reaches_to_the_slowest():
    rows = [("one", n, turn, n / 100 + turn) for n in (1, 8) for turn in (0, 2)]
    figure = measured_times(pd.DataFrame(rows, columns=["way", "length", "round", "seconds"]))
    assert list(figure.data[0].y) == [10, 80]
    assert list(figure.data[0].error_y.array) == pytest.approx([2000, 2000])
    rates = pd.DataFrame(
        [("one", 1, 0, 9.0), ("one", 1, 1, 6.0)], columns=["way", "batch", "round", "tokens_per_second"]
    )
    figure = measured_times(rates, "batch")
    assert list(figure.data[0].y) == [9]
    assert list(figure.data[0].error_y.arrayminus) == [3]


def test_nothing_to_draw_is_said(runs):
    with pytest.raises(SettingError, match="no clock 'hours'"):
        race_track({name: run.trace for name, run in runs.items()}, "hours")
    with pytest.raises(SettingError, match="nothing to race"):
        race_track({})
    with pytest.raises(SettingError, match="no forwards"):
        race_bars(pd.DataFrame({"a": [1]}))
    with pytest.raises(SettingError, match="give a table"):
        measured_times(pd.DataFrame())
