"""The curves draw what the panels hold, thresholds as labelled lines, one marker through all."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import curves
from dgemma_viz.trace import ARRAYS, Trace
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=9, steps=7, seed=2)
LINES = ["noise ratio", "accepted", "settled", "mean entropy", "temperature", "spent", "bound", "stable steps"]


def changed(**arrays):
    values = {name: np.array(getattr(TRACE, name)) for name in ARRAYS}
    for name, (step, value) in arrays.items():
        values[name][step] = value
    return Trace(**values, facts=TRACE.facts)


def by_name(figure):
    return {trace.name: trace for trace in figure.data}


def test_lines_keep_their_order():
    names = [trace.name for trace in curves(TRACE).data]
    assert names == [*LINES, "confidence threshold 0.005", "entropy bound 0.1", "stability threshold 1"]


def test_values_and_steps():
    shown, run = by_name(curves(TRACE)), TRACE.canvas_run()
    np.testing.assert_allclose(shown["temperature"].y, run.array("temperature"))
    np.testing.assert_array_equal(shown["stable steps"].y, run.array("stable_steps"))
    for name in LINES:
        assert shown[name].x.tolist() == list(range(run.n_steps))
        assert shown[name].hovertemplate.count("measured") + shown[name].hovertemplate.count("derived") == 1


def test_thresholds_lie_at_their_value_and_inside_the_axis():
    figure = curves(TRACE)
    shown = by_name(figure)
    for name, value in (
        ("confidence threshold 0.005", 0.005),
        ("entropy bound 0.1", 0.1),
        ("stability threshold 1", 1),
    ):
        assert list(shown[name].y) == [value, value]
        axis = figure.layout["yaxis" + shown[name].yaxis[1:]]
        at = np.log10(value) if axis.type == "log" else value
        assert axis.range[0] < at < axis.range[1]
        assert name in [annotation.text for annotation in figure.layout.annotations]


def test_the_marker_is_at_the_step_and_the_only_difference():
    one, other = curves(TRACE, step=1), curves(TRACE, step=-1)
    assert [(shape.x0, shape.x1) for shape in one.layout.shapes] == [(1, 1)]
    assert other.layout.shapes[0].x0 == TRACE.canvas_run().n_steps - 1
    assert not curves(TRACE).layout.shapes
    left, right = one.to_plotly_json(), other.to_plotly_json()
    assert str(left["data"]) == str(right["data"])
    assert {name for name in left["layout"] if left["layout"][name] != right["layout"][name]} == {"shapes"}


def test_zero_has_a_place_on_the_logarithmic_axis():
    figure = curves(changed(mean_entropy=(3, 0.0)))
    line = by_name(figure)["mean entropy"]
    assert line.y[3] > 0
    assert line.customdata[3] == 0
    assert line.marker.symbol[3] == "triangle-down-open"
    assert figure.layout.yaxis3.range[0] < np.log10(line.y[3])


def test_what_is_not_a_number_is_a_gap_that_says_so():
    figure = curves(changed(mean_entropy=(3, np.nan), temperature=(slice(None), np.nan)))
    shown = by_name(figure)
    assert np.isnan(shown["mean entropy"].y[3])
    assert shown["mean entropy: not a number"].x.tolist() == [3]
    assert len(shown["temperature: not a number"].x) == TRACE.n_steps
    assert "not a number" in shown["temperature: not a number"].hovertemplate


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, "step limit"), ({"finished": (-1, True)}, "stop rule")],
)
def test_the_subtitle_says_how_it_ended(change, words):
    values = {name: np.array(getattr(TRACE, name)) for name in ARRAYS}
    for name, (step, value) in change.items():
        values[name][step] = value
    assert words in curves(Trace(**values, facts=TRACE.facts)).layout.title.subtitle.text


def test_a_run_that_was_cut_off_says_so():
    values = {name: getattr(TRACE, name) for name in ARRAYS}
    values |= {"emitted": TRACE.emitted[:0], "past_end": TRACE.past_end[:0]}
    assert "cut off" in curves(Trace(**values)).layout.title.subtitle.text


def test_a_step_that_is_not_there():
    with pytest.raises(SettingError, match="choose from 0 to 6"):
        curves(TRACE, step=7)


@pytest.mark.parametrize("entropies", [(0.2, 0.4), (0.04, 0.4), (1e-5, 2.0)])
def test_a_logarithmic_axis_has_at_least_two_numbers(entropies):
    levels = np.linspace(*entropies, TRACE.n_steps, dtype=np.float32)
    trace = changed(mean_entropy=(slice(None), levels[:, None]))
    settings = {**trace.facts.settings, "confidence_threshold": None}
    axis = curves(replace(trace, facts=replace(trace.facts, settings=settings))).layout.yaxis3
    low, high = axis.range
    decades = [10.0**exponent for exponent in range(-7, 2)][:: axis.dtick or 1]
    shown = [value for value in axis.tickvals or decades if low <= np.log10(value) <= high]
    assert 2 <= len(shown) <= 4
