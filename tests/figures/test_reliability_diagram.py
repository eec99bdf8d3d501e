"""Reliability diagram."""

import numpy as np
import pytest

from dgemma_viz.analysis.reliability import reliability_table
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import reliability_diagram
from tests.analysis.drafts import drafts_of

DRAFTS = drafts_of([0.2, 0.4, 0.7, 0.8, 0.9], [True, False, True, True, True])


def test_bins_stand_at_their_confidence_and_accuracy():
    ideal, counts, bins = reliability_diagram(reliability_table(DRAFTS, bins=4)).data
    np.testing.assert_allclose(bins.x, [0.2, 0.4, 0.7, 0.85])
    assert bins.y.tolist() == [1, 0, 1, 1]
    assert counts.y.tolist() == [1, 1, 1, 2]
    assert ideal.x.tolist() == ideal.y.tolist() == [0, 1]


def test_log_odds_spread_what_is_close_to_certain():
    table = reliability_table(drafts_of([0.5, 0.9, 1.0], [True] * 3), 3, "mass")
    ideal, _, bins = reliability_diagram(table, "log_odds").data
    assert bins.x[0] < 1
    assert bins.x[-1] == pytest.approx(np.log10((1 - 1e-7) / 1e-7))
    np.testing.assert_allclose(ideal.y, 1 / (1 + 10.0**-ideal.x), atol=1e-6)


def test_empty_bins_are_left_out():
    assert len(reliability_diagram(reliability_table(DRAFTS, bins=100)).data[2].x) == 5


def test_answers_that_could_not_be_judged_are_told():
    table = reliability_table(DRAFTS)
    table.attrs["not_judged"] = 7
    assert "7 wrong answers left out" in reliability_diagram(table).layout.title.subtitle.text


def test_an_unknown_scale_is_refused():
    with pytest.raises(SettingError, match="'probit'"):
        reliability_diagram(reliability_table(DRAFTS), "probit")
