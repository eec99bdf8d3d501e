"""Healed fractions as curves."""

import pandas as pd
import pytest

from dgemma_viz.figures import healing_curves
from tests.figures.of_a_table import HEALED, healing_row


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_curve_a_sampler_and_a_panel_for_each_number_of_errors(theme):
    table = pd.DataFrame(
        [healing_row(s, k, m, h) for s, h in (("a", 0.75), ("<b>", 0.0)) for m in (1, 4) for k in (1, 8)]
    )
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
    assert not healing_curves(pd.DataFrame(columns=[*HEALED, "sampler", "step", "errors", "healed"])).data
