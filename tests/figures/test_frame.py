"""Round ticks, and plain words where there is nothing to draw."""

import pytest

from dgemma_viz.figures.frame import no_steps, whole_ticks
from tests.synthetic import synthetic_trace


@pytest.mark.parametrize(("count", "step"), [(1, 1), (12, 1), (13, 2), (48, 5), (256, 50), (1000, 100)])
def test_ticks_are_round_and_few(count, step):
    assert whole_ticks(count)["dtick"] == step


def test_why_there_is_nothing():
    trace = synthetic_trace(canvases=2, steps=[[3], [0]])
    assert "had ended" in no_steps(trace.canvas_run(1))
