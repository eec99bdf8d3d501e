"""Figures of the cost model: points lie on their roof, crossings are where the numbers say."""

import pytest

from dgemma_viz.costs import (
    CALIBRATED,
    FORMATS,
    HARDWARE,
    RELEASED,
    autoregressive,
    break_even,
    canvas_pass,
    decode_pass,
    diffusion,
)
from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.scenario import Scenario
from dgemma_viz.errors import SettingError
from dgemma_viz.figures import answer_times, roofline, speeds_by_batch

FP8, H100 = FORMATS["FP8"], HARDWARE["H100 SXM"]
PASSES = {"one <token>": decode_pass(RELEASED, FP8), "one canvas": canvas_pass(RELEASED, FP8)}


@pytest.mark.parametrize("device", HARDWARE)
def test_points_lie_on_the_roof(device):
    hardware = HARDWARE[device]
    roof, *points = roofline(hardware, FP8, PASSES).data
    assert max(roof.y) == hardware.peak(FP8)
    for point, one in zip(points, PASSES.values(), strict=True):
        intensity = one.flops / one.bytes
        assert point.x[0] == pytest.approx(intensity)
        assert point.y[0] == pytest.approx(min(hardware.peak(FP8), intensity * hardware.bandwidth / 1e3))


def test_everything_says_where_it_is_from_and_is_escaped():
    figure = roofline(HARDWARE["RTX 5090"], FP8, PASSES, "dark")
    text = figure.to_json().replace("\\u003c", "<")
    assert "modelled" in text
    assert "published" in text
    assert "derived from ratios" in figure.layout.title.subtitle.text
    assert "<token>" not in text


def test_the_break_even_length_is_named():
    token = autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"])
    canvas = diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=16)
    figure = answer_times({"token by token": token, "diffusion": canvas})
    crossing = int(break_even(canvas, token)) + 1
    assert f"from {crossing}: diffusion" in figure.layout.title.subtitle.text
    by_token, by_canvas = figure.data
    assert by_canvas.y[0] == by_canvas.y[255] < by_canvas.y[256]
    assert by_token.y[99] == pytest.approx(100 * token.milliseconds_per_unit)


@pytest.mark.parametrize(("speeds", "longest"), [({}, 100), ({"a": None}, 1)])
def test_nothing_to_draw_is_said(speeds, longest):
    with pytest.raises(SettingError):
        answer_times(speeds, longest)


def test_the_batch_from_which_another_way_serves_more_is_named():
    sizes = (1, 4, 16, 64, 256)
    ample = Hardware("H100 with more memory", 989, 1979, 3350, 1000, "a test")
    ways = {
        "token <by> token": [
            autoregressive(RELEASED, FP8, ample, CALIBRATED["autoregressive"], batch=batch) for batch in sizes
        ],
        "diffusion": [
            diffusion(RELEASED, FP8, ample, CALIBRATED["diffusion"], steps=16, batch=batch) for batch in sizes
        ],
    }
    figure = speeds_by_batch(ways)
    fastest = [max(ways, key=lambda label: ways[label][at].tokens_per_second) for at in range(len(sizes))]
    assert fastest == ["diffusion"] * 4 + ["token <by> token"]
    told = figure.layout.title.subtitle.text.split("<br>")[1:]
    assert told == ["1 to 64 users: diffusion", "256 users: token &lt;by&gt; token"]
    assert [list(line.x) for line in figure.data] == [list(sizes)] * 2
    assert "<by>" not in figure.to_json().replace("\\u003c", "<")
    for label, line in zip(ways, figure.data, strict=True):
        assert line.y[2] == pytest.approx(ways[label][2].tokens_per_second)


def test_lines_end_where_memory_does_and_what_is_assumed_is_a_band():
    usual = Scenario(RELEASED, FP8, H100)
    figure = speeds_by_batch(usual.by_batch(), between=(usual.by_batch(0.2), usual.by_batch(0.7)))
    lines, bands = figure.data[:3], figure.data[3:]
    assert {line.name: line.x[-1] for line in lines} == {"autoregressive": 231, "drafting": 231, "diffusion": 29}
    for line, range_ in zip(lines, bands, strict=True):
        assert range_.name == f"{line.name}: range of compute shares"
        assert max(range_.y) >= max(line.y) >= min(range_.y)
    told = figure.layout.title.subtitle.text.split("<br>")
    assert "1 to 8 users: diffusion" in told
    assert "16 to 29 users: drafting or diffusion" in told
    assert "32 to 231 users: drafting" in told
    assert told[-1] == "memory ends: diffusion at 29 users"
    assert [note.text for note in figure.layout.annotations] == ["memory ends"]


def test_batches_that_differ_are_refused():
    one = autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"])
    two = autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"], batch=2)
    with pytest.raises(SettingError, match="same batch sizes"):
        speeds_by_batch({"a": [one, two], "b": [two]})
    with pytest.raises(SettingError, match="ends of the range"):
        speeds_by_batch({"a": [one, two]}, between=({"a": [one]}, {"a": [one, two]}))
    with pytest.raises(SettingError, match="at least one"):
        speeds_by_batch({})
