"""A race is watched tick by tick, by passes and by time, prompt by prompt."""

import pytest

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs import decoding
from dgemma_viz.labs.decoding import Race
from dgemma_viz.widgets.race_view import RaceView


@pytest.fixture(scope="module")
def race():
    prompts = ["add 347+678=", "sort 53918="]
    return decoding.race(*dv.load_tiny(), prompts, ["autoregressive", "diffusion"], repeats=1)


def states(view):
    return [list(row) for row in view.chart.figure.data[0].z]


def test_it_opens_with_everything_done_and_goes_through_the_passes(race):
    view = RaceView(race)
    most = max(run.trace.n_steps for run in race.of(0).values())
    assert view.tick.value == view.tick.max == most
    assert all(state == 2 for row in states(view) for state in row if state is not None)
    view.tick.value = 0
    assert all(state == 0 for row in states(view) for state in row if state is not None)
    view.tick.value = 1
    assert states(view)[0][0] == 2, "token by token, the first token stands after the first pass"
    assert 0 in states(view)[0]
    assert "after 1 decoder passes" in view.now.value
    view.close()


def test_another_prompt_and_another_clock(race):
    view = RaceView(race)
    first = states(view)
    view.prompt.value = 1
    assert len(states(view)[0]) != len(first[0])
    view.clock.value = "seconds"
    assert "ms" in view.now.value
    slowest = max(run.seconds for run in race.of(1).values()) * 1e3
    assert float(view.now.value.split()[1]) == pytest.approx(slowest, abs=0.06)
    assert view.chart.figure.layout.sliders == ()
    view.chart.dark = True
    assert states(view), "drawn again for a dark page"
    view.close()


def test_what_is_no_race_is_refused(race):
    with pytest.raises(SettingError, match="no run"):
        RaceView(Race(()))
    with pytest.raises(SettingError, match="no clock 'hours'"):
        RaceView(race, "hours")
