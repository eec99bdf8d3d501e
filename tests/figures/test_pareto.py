"""The Pareto plot of a hand-made summary."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import pareto
from tests.figures.of_a_table import pareto_summary


def test_points_and_frontier():
    figure = pareto(pareto_summary((2, 0.5), (4, 0.9), (5, 0.7), samplers=["a", "b", "a"]))
    frontier, a, b = figure.data
    assert (list(frontier.x), list(frontier.y)) == ([2, 4], [0.5, 0.9])
    assert (list(a.x), list(b.x)) == ([2, 5], [4])
    assert [symbol.endswith("-open") for symbol in a.marker.symbol] == [False, True]
    assert list(a.customdata) == [0, 2]
    assert "on the frontier" in a.hovertext[0]
    assert "on the frontier" not in a.hovertext[1]
    assert "0.500 right (5 of 10)" in a.hovertext[0]


def test_what_was_not_judged_is_left_out_and_counted():
    figure = pareto(pareto_summary((2, 0.5), (4, np.nan)))
    assert "1 without a judged run left out" in figure.layout.title.subtitle.text
    nothing = pareto(pareto_summary((4, np.nan)))
    assert not nothing.data
    assert "no run could be judged" in nothing.layout.annotations[0].text


def test_hostile_names_are_escaped():
    table = pareto_summary((2, 0.5), samplers=["<script>"])
    assert "<script>" not in pareto(table).to_json().replace("\\u003c", "<")


def test_themes():
    assert pareto(pareto_summary((2, 0.5)), "dark").layout.template != pareto(pareto_summary((2, 0.5))).layout.template
    with pytest.raises(SettingError, match="theme"):
        pareto(pareto_summary((2, 0.5)), "pink")
