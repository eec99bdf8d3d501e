"""The speed lab: what is set is what is computed, and the impossible is a message."""

import gc
import sys

import pytest

from dgemma_viz.costs import CALIBRATED, FORMATS, HARDWARE, RELEASED, Acceptance, Scenario
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import answer_times
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.speed_lab import SpeedLab
from dgemma_viz.widgets.speed_table import crossings, crossover_sentence, speed_table, validation_table


@pytest.fixture
def lab():
    lab = SpeedLab()
    yield lab
    lab.close()


def charts_in(widget):
    """The charts of a part of the page, in their order on it."""
    if isinstance(widget, Chart):
        return [widget]
    return [chart for child in getattr(widget, "children", ()) for chart in charts_in(child)]


def change(lab, **values):
    lab.settings.values = {**lab.settings.values, **values}


def test_the_settings_make_the_scenario(lab):
    change(lab, hardware="H200", weights="NVFP4", batch=8, steps=9, acceptance=0.31)
    accepted = Acceptance.constant(0.31, 4)
    wanted = Scenario(RELEASED, FORMATS["NVFP4"], HARDWARE["H200"], batch=8, steps=9, acceptance=accepted)
    for way in CALIBRATED:
        here, there = lab.scenario.speed(way), wanted.speed(way)
        assert here.tokens_per_second == pytest.approx(there.tokens_per_second, rel=1e-3)
    assert speed_table(lab.scenario) in [
        getattr(child, "value", None) for child in lab.children[1].children[1].children
    ]


def test_a_share_of_all_drafts_is_told_from_one_of_drafts_after_accepted_ones(lab):
    """0.31 as vLLM prints it is faster than plain decoding on an H100; as a paper's alpha it is slower."""
    plain = lab.scenario.speed("autoregressive").tokens_per_second
    change(lab, acceptance=0.31)
    assert "brings <b>1.45 tokens</b>" in crossings(lab.scenario)
    assert lab.scenario.speed("drafting").tokens_per_second < plain
    change(lab, acceptance_of="all drafts")
    assert "brings <b>2.24 tokens</b>" in crossings(lab.scenario)
    assert lab.scenario.speed("drafting").tokens_per_second > plain


def test_every_efficiency_factor_counts(lab):
    before = lab.scenario.speed("diffusion").tokens_per_second
    for factor in ("diffusion_overhead", "diffusion_bandwidth"):
        change(lab, **{factor: lab.settings.values[factor] * 2})
        after = lab.scenario.speed("diffusion").tokens_per_second
        assert after != before
        before = after


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hardware": "RTX 4070"}, "needs 26 GB, and RTX 4070 has 12"),
        ({"acceptance": -0.5}, "acceptance of -0.5 is out of range"),
        ({"answer": None}, "answer must be a whole number"),
        ({"diffusion_bandwidth": 0}, "diffusion_bandwidth of 0 is out of range"),
    ],
)
def test_the_impossible_is_a_message_and_the_last_result_stays(lab, values, message):
    before, usual = lab.scenario, lab.settings.values
    change(lab, **values)
    trouble = lab.children[1].children[1].children[0].value
    assert message in trouble
    assert 'role="alert"' in trouble
    assert lab.scenario is before
    lab.settings.values = usual
    assert not lab.children[1].children[1].children[0].value


def test_wrong_values_at_the_start_are_refused(monkeypatch):
    unraisable = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with pytest.raises(SettingError, match="hardware cannot be 'abacus'"):
        SpeedLab(hardware="abacus")
    gc.collect()
    assert not unraisable, "closing what was not made"


def test_a_measured_machine_is_added_and_chosen(lab):
    lab.measure()
    lab.wait(60)
    assert lab.settings.values["hardware"] == "this machine"
    assert "this machine" in lab.children[-1].value


def test_crossings_are_said_in_all_cases():
    usual = {"shape": RELEASED, "weights": FORMATS["FP8"], "hardware": HARDWARE["H100 SXM"]}
    assert "faster from <b>50 tokens</b> on" in crossings(Scenario(**usual))
    assert "no answer that fits into one canvas" in crossings(Scenario(**usual, steps=200))
    assert "even with a single user" in crossings(Scenario(**usual, answer=8))


def test_more_users_than_fit_are_said_and_the_other_ways_go_on(lab):
    change(lab, batch=64)
    told = speed_table(lab.scenario)
    assert "memory: 29 users at most" in told
    assert "takes 1.6 GB of buffers" in crossings(lab.scenario)
    times = charts_in(lab)[0]
    assert [line.name for line in times.figure.data] == ["autoregressive", "drafting (MTP)"]


def test_a_crossover_is_told_as_a_range_within_memory():
    def told(hardware, way):
        return crossover_sentence(Scenario(RELEASED, FORMATS["FP8"], HARDWARE[hardware]), way)

    assert "from <b>8 to 31 users</b> at once on, by the share of compute" in told("H200", "drafting")
    assert "memory ends at 62" in told("H200", "drafting")
    assert "from <b>10 users</b> at once on, or not up to the 29 users" in told("H100 SXM", "drafting")
    assert "up to the 29 users whose canvases fit" in told("H100 SXM", "autoregressive")


@pytest.mark.parametrize("hardware", ["H100 SXM", "H200", "RTX 5090"])
@pytest.mark.parametrize(("steps", "acceptance"), [(16, 0.8), (9, 0.31), (23, 0.5)])
def test_sentences_and_chart_name_the_same_lengths(hardware, steps, acceptance):
    accepted = Acceptance.constant(acceptance, 4)
    scenario = Scenario(RELEASED, FORMATS["FP8"], HARDWARE[hardware], steps=steps, acceptance=accepted)
    for way in ("autoregressive", "drafting"):
        ways = {name: scenario.speed(name, padded=False) for name in (way, "diffusion")}
        assert f"from {scenario.faster_from(way)}: diffusion" in answer_times(ways).layout.title.subtitle.text
        assert f"from <b>{scenario.faster_from(way)} tokens</b>" in crossings(scenario)


def test_where_the_model_fails_is_marked():
    table = validation_table()
    assert "+169% ✗" in table
    assert "weights are unpacked before they are multiplied" in table
