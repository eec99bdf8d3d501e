"""The Pareto plot of a hand-made summary."""

import numpy as np
import pandas as pd
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.figures import pareto
from dgemma_viz.labs.sweep.table import NUMBERS


def summary(*points, samplers=None):
    rows = []
    for number, (forwards, accuracy) in enumerate(points):
        sampler = (samplers or ["a"] * len(points))[number]
        row = dict.fromkeys(NUMBERS, 0.0) | {"setting": f"{sampler} · x={number}", "sampler": sampler}
        judged = 0 if np.isnan(accuracy) else 10
        row |= {"judged": judged, "runs": 10, "right": round(10 * np.nan_to_num(accuracy)), "accuracy": accuracy}
        row |= {"forwards": forwards, "forwards_low": forwards - 0.5, "forwards_high": forwards + 0.5}
        row |= {"low": max(0, accuracy - 0.2), "high": min(1, accuracy + 0.2), "prompts_low": np.nan}
        row |= {"prompts_high": np.nan, "tokens_per_forward": 2.0, "seconds": 0.1}
        rows.append(row)
    table = pd.DataFrame(rows)
    table.attrs["by"] = ["setting"]
    return table


def test_points_and_frontier():
    figure = pareto(summary((2, 0.5), (4, 0.9), (5, 0.7), samplers=["a", "b", "a"]))
    frontier, a, b = figure.data
    assert (list(frontier.x), list(frontier.y)) == ([2, 4], [0.5, 0.9])
    assert (list(a.x), list(b.x)) == ([2, 5], [4])
    assert [symbol.endswith("-open") for symbol in a.marker.symbol] == [False, True]
    assert list(a.customdata) == [0, 2]
    assert "on the frontier" in a.hovertext[0]
    assert "on the frontier" not in a.hovertext[1]
    assert "0.500 right (5 of 10)" in a.hovertext[0]


def test_what_was_not_judged_is_left_out_and_counted():
    figure = pareto(summary((2, 0.5), (4, np.nan)))
    assert "1 without a judged run left out" in figure.layout.title.subtitle.text
    nothing = pareto(summary((4, np.nan)))
    assert not nothing.data
    assert "no run could be judged" in nothing.layout.annotations[0].text


def test_hostile_names_are_escaped():
    table = summary((2, 0.5), samplers=["<script>"])
    assert "<script>" not in pareto(table).to_json().replace("\\u003c", "<")


def test_themes():
    assert pareto(summary((2, 0.5)), "dark").layout.template != pareto(summary((2, 0.5))).layout.template
    with pytest.raises(SettingError, match="theme"):
        pareto(summary((2, 0.5)), "pink")
