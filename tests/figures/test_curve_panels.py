"""What the curves show, before it is drawn."""

import numpy as np
import pytest

from dgemma_viz.figures.curve_panels import panels
from dgemma_viz.trace import ARRAYS, RunFacts, Trace
from tests.synthetic import Sampler, synthetic_trace

TRACE = synthetic_trace(length=9, steps=7, seed=2)


def lines_of(trace):
    return {line.name: line for panel in panels(trace.canvas_run()) for line in panel.lines}


def thresholds_of(trace):
    return [threshold.label for panel in panels(trace.canvas_run()) for threshold in panel.thresholds]


def with_settings(settings):
    values = {name: getattr(TRACE, name) for name in ARRAYS}
    return Trace(**values, facts=RunFacts(settings=settings))


def test_values_are_the_traces():
    lines, run = lines_of(TRACE), TRACE.canvas_run()
    for line, array in (
        ("mean entropy", "mean_entropy"),
        ("temperature", "temperature"),
        ("spent", "entropy_spent"),
        ("bound", "entropy_bound"),
        ("stable steps", "stable_steps"),
    ):
        np.testing.assert_array_equal(lines[line].values, run.array(array).astype(float))
        assert lines[line].provenance == ARRAYS[array].provenance
    np.testing.assert_array_equal(lines["accepted"].values, run.array("accepted").sum(axis=1))
    np.testing.assert_allclose(lines["noise ratio"].values, 1 - lines["accepted"].values / 9)


def test_thresholds_come_from_the_settings():
    trace = synthetic_trace(sampler=Sampler(entropy_bound=0.3, stability_threshold=2, confidence_threshold=0.01))
    assert thresholds_of(trace) == ["confidence threshold 0.01", "entropy bound 0.3", "stability threshold 2"]


def test_a_bound_that_did_not_run_says_so():
    settings = {**TRACE.facts.settings, "entropy_bound": 0.7}
    assert "entropy bound 0.7 asked for, but not used" in thresholds_of(with_settings(settings))


@pytest.mark.parametrize("value", [None, "high", float("nan"), True, [1]])
def test_settings_that_are_no_numbers_draw_nothing(value):
    settings = dict.fromkeys(("entropy_bound", "confidence_threshold", "stability_threshold"), value)
    assert thresholds_of(with_settings(settings)) == []
    assert thresholds_of(with_settings({})) == []
