"""Healed fractions as curves."""

import pandas as pd
import pytest

from dgemma_viz.figures import healing_curves

ROW = {"runs": 10, "tokens": 10, "healed_low": 0.4, "healed_high": 0.9, "right": 0.5, "spread": 0.1}


def row(sampler, step, errors, healed):
    steps = 2.0 if healed else float("nan")
    return {**ROW, "sampler": sampler, "step": step, "errors": errors, "healed": healed, "steps_to_heal": steps}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_curve_a_sampler_and_a_panel_for_each_number_of_errors(theme):
    table = pd.DataFrame([row(s, k, m, h) for s, h in (("a", 0.75), ("<b>", 0.0)) for m in (1, 4) for k in (1, 8)])
    figure = healing_curves(table, theme)
    assert [(trace.name, trace.yaxis) for trace in figure.data] == [
        ("a", "y"), ("&lt;b&gt;", "y"), ("a", "y2"), ("&lt;b&gt;", "y2")
    ]  # fmt: skip
    assert [trace.customdata.tolist() for trace in figure.data] == [[1, 8]] * 4
    assert figure.data[0].y.tolist() == [0.75, 0.75]
    assert len({(trace.marker.symbol, trace.line.dash) for trace in figure.data}) == 2
    assert "none healed" in figure.data[1].text[0]
    assert sum(bool(trace.showlegend) for trace in figure.data) == 2


def test_nothing_injected_is_a_plain_message():
    assert not healing_curves(pd.DataFrame(columns=[*ROW, "sampler", "step", "errors", "healed"])).data
