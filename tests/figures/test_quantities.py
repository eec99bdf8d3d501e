"""The registry: right values, honest provenance, usable ranges."""

import numpy as np
import pytest

from dgemma_viz.analysis.positions import commit_steps, flips, re_noised_again
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.colour_scales import SCALES
from dgemma_viz.figures.quantities import QUANTITIES, quantity_named
from dgemma_viz.trace.schema import ARRAYS
from tests.synthetic import synthetic_trace

RUN = synthetic_trace(length=9, steps=8, seed=3).canvas_run()


@pytest.mark.parametrize("name", [name for name in QUANTITIES if name in ARRAYS])
def test_recorded_quantities_are_the_traces_own(name):
    np.testing.assert_array_equal(QUANTITIES[name].values(RUN), RUN.array(name).astype(float))
    assert QUANTITIES[name].provenance == ARRAYS[name].provenance == "measured"


def test_flips_count_up_over_the_steps():
    values = QUANTITIES["flips"].values(RUN)
    for step in range(RUN.n_steps):
        np.testing.assert_array_equal(values[step], flips(RUN)[: step + 1].sum(axis=0))


def test_commit_steps_show_from_the_step_on():
    values, commits = QUANTITIES["commit_step"].values(RUN), commit_steps(RUN)
    for step in range(RUN.n_steps):
        for position, commit in enumerate(commits):
            shown = values[step, position]
            assert shown == commit if step >= commit else np.isnan(shown)


def test_taken_back():
    np.testing.assert_array_equal(QUANTITIES["re_noised_again"].values(RUN), re_noised_again(RUN).astype(float))


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
def test_ranges_hold_every_value_and_are_never_empty(quantity):
    for run in (RUN, synthetic_trace(length=1, steps=1, texts=("a",)).canvas_run()):
        values = quantity.values(run)
        low, high = quantity.value_range(values)
        assert low < high
        assert np.nanmin(values) >= low
        assert np.nanmax(values) <= high
        assert values.shape == (run.n_steps, run.canvas_length)


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
def test_words_and_scales(quantity):
    assert quantity.heading.endswith(quantity.provenance)
    assert quantity.scale in SCALES["light"]
    assert quantity.kind == ("categorical" if quantity.categories else "continuous")
    assert not quantity.categories or len(quantity.categories) == len(SCALES["light"][quantity.scale])
    assert quantity.text(float("nan")) == quantity.missing
    assert quantity.text(1.0)


def test_units_stand_with_values():
    assert QUANTITIES["entropy"].text(0.25) == "0.25 nats"
    assert QUANTITIES["entropy"].heading == "entropy (nats) · measured"
    assert QUANTITIES["accepted"].text(0.0) == "re-noised"


def test_an_unknown_quantity_says_what_there_is():
    with pytest.raises(SettingError, match=r"unknown quantity 'speed'; choose from .*'confidence'"):
        quantity_named("speed")
