"""Crossovers in a table: ranges, and never beyond what memory holds."""

from dataclasses import replace

import pytest

from dgemma_viz.costs import FORMATS, HARDWARE, RELEASED, Scenario, crossover_table
from dgemma_viz.costs.crossovers import users_text

USUAL = Scenario(RELEASED, FORMATS["FP8"], HARDWARE["H100 SXM"])


@pytest.mark.parametrize("hardware", ["H100 SXM", "H200"])
def test_the_table_says_what_the_scenario_does(hardware):
    scenario = replace(USUAL, hardware=HARDWARE[hardware])
    table = crossover_table(scenario).set_index("way")
    assert set(table.index) == {"autoregressive", "drafting"}
    for way, row in table.iterrows():
        assert row["memory"] == scenario.most_users("diffusion")
        for users in scenario.crossover_range(way):
            assert users is None or str(users) in row["users"]


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((None, None), "not up to 29"),
        ((10, None), "10, or not up to 29"),
        ((8, 21), "8 to 21"),
        ((21, 8), "8 to 21"),
        ((1, 1), "1"),
    ],
)
def test_ranges_in_words(ends, text):
    assert users_text(*ends, 29) == text
