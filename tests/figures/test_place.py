"""Bad arguments get an answer that says what is valid."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.figures.place import resolve_position, resolve_run, resolve_step
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=6, steps=4)
RUN = TRACE.canvas_run()


@pytest.mark.parametrize(("step", "resolved"), [(0, 0), (3, 3), (-1, 3), (-4, 0), (np.int64(2), 2)])
def test_steps_count_from_either_end(step, resolved):
    assert resolve_step(RUN, step) == resolved


@pytest.mark.parametrize("step", [4, -5, 1.0, "1", None])
def test_steps_that_are_not_there(step):
    with pytest.raises(SettingError, match=r"choose from 0 to 3, or count from the end|whole number"):
        resolve_step(RUN, step)


@pytest.mark.parametrize("position", [6, -1, 2.5, None])
def test_positions_that_are_not_there(position):
    with pytest.raises(SettingError, match=r"choose from 0 to 5|whole number"):
        resolve_position(RUN, position)


@pytest.mark.parametrize(
    ("canvas", "sample", "error"), [(1, 0, TraceError), (0, 1, TraceError), ("0", 0, SettingError)]
)
def test_runs_that_are_not_there(canvas, sample, error):
    with pytest.raises(error):
        resolve_run(TRACE, canvas, sample)
