"""The reader's machine becomes a row like any other."""

import pytest

from dgemma_viz.costs import FORMATS, RELEASED, canvas_pass, step_time
from dgemma_viz.costs.hardware import this_machine
from dgemma_viz.costs.roofline import Efficiency


def test_it_is_measured_and_can_be_placed_on_the_roofline():
    found = this_machine(repeats=1)
    assert "measured here" in found.source
    assert found.peak(FORMATS["FP8"]) == found.bf16, "a CPU has no FP8 units"
    one = canvas_pass(RELEASED, FORMATS["BF16"])
    took = step_time(one, found, FORMATS["BF16"], Efficiency(1.0, 1.0, 0.0))
    assert took.reading == pytest.approx(one.bytes / (found.bandwidth * 1e6))
    assert took.computing == pytest.approx(one.flops / (found.bf16 * 1e9))
    assert took.limit in {"bandwidth", "compute"}
