"""The frontier against its definition."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.analysis.pareto import pareto_frontier

numbers = st.one_of(st.integers(0, 3).map(float), st.just(np.nan))


def dominated(i, points):
    cost, value = points[i]
    return any(c <= cost and v >= value and (c < cost or v > value) for c, v in points)


@given(st.lists(st.tuples(numbers, numbers), max_size=8))
def test_what_nothing_beats_is_on_it(points):
    found = pareto_frontier([cost for cost, _ in points], [value for _, value in points])
    for i, point in enumerate(points):
        assert found[i] == (not np.isnan(point).any() and not dominated(i, points))
