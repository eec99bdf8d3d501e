"""The budget of a step and the counts under another bound: what is drawn is what was decided."""

import numpy as np
import pytest

from dgemma_viz.analysis.acceptance import ranks, redecide, spent_before
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import accepted_by_bound, entropy_budget
from tests.synthetic import synthetic_trace


@pytest.fixture(scope="module")
def trace():
    return synthetic_trace(length=20, steps=8, seed=3)


def named(figure):
    return {drawn.name: drawn for drawn in figure.data}


def test_every_position_is_drawn_once_at_its_place(trace):
    run, drawn = trace.canvas_run(), named(entropy_budget(trace, step=2))
    accepted = run.array("accepted")[2]
    assert sorted(drawn["accepted"].customdata[:, 0]) == np.flatnonzero(accepted).tolist()
    assert sorted(drawn["re-noised"].customdata[:, 0]) == np.flatnonzero(~accepted).tolist()
    for name in ("accepted", "re-noised"):
        positions = drawn[name].customdata[:, 0]
        np.testing.assert_array_equal(drawn[name].x, ranks(run)[2, positions] + 1)
        np.testing.assert_allclose(drawn[name].y, np.maximum(spent_before(run)[2, positions], 1e-7))
    assert len(drawn["would change"].x) == len(drawn["what-if bound"].x) == len(drawn["selected"].x) == 0


def test_another_bound_marks_what_would_change(trace):
    run = trace.canvas_run()
    for bound in (0.001, 5.0):
        figure = entropy_budget(trace, step=3, bound=bound, position=7)
        drawn, changed = named(figure), redecide(run, bound)[3] != run.array("accepted")[3]
        assert changed.any()
        assert sorted(drawn["would change"].customdata[:, 0]) == np.flatnonzero(changed).tolist()
        assert list(drawn["selected"].customdata[:, 0]) == [7]
        assert drawn["what-if bound"].y[0] == bound
        assert f"{int(redecide(run, bound)[3].sum())} would be" in figure.layout.title.subtitle.text


def test_counts_are_certain_up_to_the_first_change_only(trace):
    run = trace.canvas_run()
    drawn = named(accepted_by_bound(trace, bound=1.0, step=1))
    np.testing.assert_array_equal(drawn["recorded"].y, run.array("accepted").sum(axis=1))
    counts = redecide(run, 1.0).sum(axis=1)
    np.testing.assert_array_equal(np.concatenate([drawn["what if"].y, drawn["hypothetical"].y]), counts)
    first = int(np.flatnonzero((redecide(run, 1.0) != run.array("accepted")).any(axis=1))[0])
    assert drawn["what if"].x[-1] == first
    assert len(named(accepted_by_bound(trace, bound=0.1))["hypothetical"].x) == 0


@pytest.mark.parametrize("figure", [entropy_budget, accepted_by_bound])
def test_nonsense_is_refused(trace, figure):
    with pytest.raises(SettingError, match="out of range"):
        figure(trace, bound=-1)
    with pytest.raises(SettingError):
        figure(trace, step=99)
    with pytest.raises(SettingError):
        figure(trace, theme="pink")
