"""Calibration over the steps."""

import numpy as np

from dgemma_viz.analysis.calibration import calibration_per_step
from dgemma_viz.figures import calibration_curves
from tests.analysis.drafts import drafts_of

TABLE = calibration_per_step(
    drafts_of([0.9, 0.9, 0.6, 0.6, 0.7], [False, True, True, True, True], run=[0, 1, 0, 1, 1], step=[0, 0, 1, 1, 2])
)


def test_the_curves_are_the_table():
    shown = {trace.name: trace for trace in calibration_curves(TABLE).data}
    np.testing.assert_array_equal(shown["mean confidence"].y, TABLE["mean_confidence"])
    np.testing.assert_array_equal(shown["calibration error"].y, TABLE["ece"])
    np.testing.assert_array_equal(shown["Brier score"].y, TABLE["brier"])
    np.testing.assert_array_equal(shown["runs"].y, [2, 2, 1])


def test_a_step_of_one_run_has_no_interval():
    shown = {trace.name: trace for trace in calibration_curves(TABLE).data}
    assert set(shown["Brier score: 95 % interval"].x.tolist()) == {0, 1}
    assert "unknown" in shown["Brier score"].text[2]


def test_lines_differ_by_more_than_colour():
    lines = [trace for trace in calibration_curves(TABLE).data if trace.type == "scatter" and trace.marker.symbol]
    assert len({(line.marker.symbol, line.line.dash) for line in lines}) == len(lines)
