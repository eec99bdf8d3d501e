"""Early answers, drawn."""

import numpy as np

from dgemma_viz.analysis.early_answers import CURVES, early_answers
from dgemma_viz.figures import answer_curves
from tests.hurried_runs import hurried_runs


def test_three_curves_with_their_bands():
    table = early_answers(hurried_runs())
    shown = {trace.name: trace for trace in answer_curves(table).data}
    assert len(shown) == 2 * len(CURVES)
    np.testing.assert_array_equal(shown["right now"].y, table["right"])
    np.testing.assert_array_equal(shown["already final"].y, table["final"])
    shaded = shown["right at some step: 95 % interval"]
    assert shaded.y.max() == table["ever_right_high"].max()
    assert shaded.y.min() == table["ever_right_low"].min()
