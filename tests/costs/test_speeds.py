"""Speeds: what was published and fitted comes back, more hardware is never slower, impossible things are refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.costs import (
    CALIBRATED,
    FORMATS,
    HARDWARE,
    RELEASED,
    Acceptance,
    Efficiency,
    Hardware,
    Scenario,
    autoregressive,
    break_even,
    calibrated,
    decode_pass,
    diffusion,
    drafting,
    validation,
)
from dgemma_viz.costs.calibration import Pair
from dgemma_viz.errors import SettingError

FP8, H100 = FORMATS["FP8"], HARDWARE["H100 SXM"]
numbers = st.floats(0.1, 10)


def test_calibration_gives_the_published_fixed_parts():
    parts = {way: efficiency.overhead for way, efficiency in CALIBRATED.items()}
    assert parts == pytest.approx({"autoregressive": 3.8, "drafting": 6.0, "diffusion": 4.2}, abs=0.05)


def test_fitted_points_come_back_and_held_out_ones_are_kept_apart():
    table = validation()
    fitted, held_out = (table[table["kind"] == kind] for kind in ("calibration", "held out"))
    assert len(fitted) == 6
    assert fitted["error"].abs().max() < 0.005
    assert not set(fitted["source"]) & set(held_out["source"])
    far = held_out[held_out["error"].abs() > 0.2]
    assert (far["remark"] != "").all(), "where the model fails, the table says why"
    assert held_out.loc[held_out["source"] == "JV", "error"].abs().max() < 0.2


def test_the_guide_says_how_far_the_model_is_off():
    """Of docs/hardware.md."""
    guide = (Path(__file__).parents[2] / "docs" / "hardware.md").read_text(encoding="utf-8")
    guide = " ".join(guide.split())
    held_out = validation().query("kind == 'held out'").set_index(["hardware", "unit", "what"])
    off = held_out["predicted"] / held_out["published"]
    batches = held_out.loc[held_out["source"] == "JV", "error"]
    assert f"come within {batches.abs().max():.0%}".replace("%", " %") in guide
    assert f"on an L4 by a factor of {1 / off['L4'].item():.1f}" in guide
    by_token, by_diffusion = off["M1 Ultra"]["tokens/s"].item(), 1 / off["M1 Ultra"]["ms"].item()
    assert f"on an M1 Ultra by {by_token:.1f} token by token and {by_diffusion:.1f} by diffusion" in guide
    assert by_token > 1, "on the fast side"
    assert f"up to {1 / off['H100 SXM']['ms'].min():.1f} times later" in guide
    fit = CALIBRATED["autoregressive"]
    assert f"{fit.bandwidth:.0%}".replace("%", " %") in guide
    assert 0.72 < Scenario(RELEASED, FP8, H100).speed("autoregressive").step.overhead / 5.1 < 0.78, "three quarters"


@pytest.mark.parametrize(("steps", "tokens"), [(4, 12), (6, 18), (9, 26), (16, 47)])
def test_break_even_lengths_of_the_h100(steps, tokens):
    canvas = diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=steps, commits=0)
    one = autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"])
    assert round(break_even(canvas, one)) == tokens
    assert canvas.milliseconds_for(tokens + 1) < one.milliseconds_for(tokens + 1)
    assert canvas.milliseconds_for(tokens - 2) > one.milliseconds_for(tokens - 2)


def test_a_canvas_is_paid_whole():
    canvas = diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=9)
    assert canvas.milliseconds_for(1) == canvas.milliseconds_for(256) == canvas.milliseconds_per_unit
    assert canvas.milliseconds_for(257) == 2 * canvas.milliseconds_per_unit


@pytest.mark.parametrize("batch", [1, 3])
def test_a_verified_draft_brings_what_is_accepted_and_one_more(batch):
    published = Acceptance((0.844, 0.599, 0.385))
    found = drafting(RELEASED, FP8, H100, CALIBRATED["drafting"], published, batch=batch)
    assert found.tokens_per_unit == pytest.approx(batch * (1 + 0.844 + 0.599 + 0.385))
    none = drafting(RELEASED, FP8, H100, CALIBRATED["drafting"], Acceptance((0.0,) * 4))
    assert none.tokens_per_unit == 1
    assert none.step == drafting(RELEASED, FP8, H100, CALIBRATED["drafting"], Acceptance.constant(0.8, 4)).step


@given(factor=st.floats(1, 10), batch=st.integers(1, 32), bandwidth=st.floats(100, 5000), peak=st.floats(20, 2000))
def test_more_bandwidth_and_more_compute_are_never_slower(factor, batch, bandwidth, peak):
    efficiency = Efficiency()
    small = Hardware("small", peak, None, bandwidth, 1000, "a test")
    for better in (
        Hardware("wide", peak, None, bandwidth * factor, 1000, "a test"),
        Hardware("fast", peak * factor, None, bandwidth, 1000, "a test"),
    ):
        for way in (autoregressive, lambda *given, **more: diffusion(*given, steps=8, **more)):
            slow = way(RELEASED, FP8, small, efficiency, batch=batch)
            fast = way(RELEASED, FP8, better, efficiency, batch=batch)
            assert fast.tokens_per_second >= slow.tokens_per_second


@given(overhead=numbers, per=numbers, compute=st.floats(0.1, 1))
def test_calibration_finds_what_made_the_times(overhead, per, compute):
    one = decode_pass(RELEASED, FP8)
    made = Efficiency(per, compute, overhead)
    h200 = HARDWARE["H200"]
    times = [made.overhead + 1e3 * one.bytes / (per * device.bandwidth * 1e9) for device in (H100, h200)]
    found = calibrated(one, Pair(H100, times[0], h200, times[1], "a test"), compute)
    assert (found.overhead, found.bandwidth) == pytest.approx((overhead, per), rel=1e-6)


def test_the_limit_is_named():
    assert autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"]).step.limit == "overhead"
    assert diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=8).step.limit == "bandwidth"
    slow = Hardware("slow", 1, None, 3350, 80, "a test")
    assert diffusion(RELEASED, FP8, slow, CALIBRATED["diffusion"], steps=8).step.limit == "compute"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: autoregressive(RELEASED, FORMATS["BF16"], HARDWARE["RTX 4090"], Efficiency()), "needs 50 GB"),
        (lambda: autoregressive(RELEASED, FP8, H100, Efficiency(), batch=0), "a batch"),
        (lambda: autoregressive(RELEASED, FP8, H100, Efficiency(), batch=100_000, context=9999), "needs"),
        (lambda: autoregressive(RELEASED, FP8, H100, Efficiency(), context=-1), "a context"),
        (lambda: drafting(RELEASED, FP8, H100, Efficiency(), [0.8, 0.6]), "say what the rates of acceptance are"),
        (lambda: diffusion(RELEASED, FP8, H100, Efficiency(), steps=0), "steps"),
        (lambda: diffusion(RELEASED, FP8, H100, Efficiency(), steps=float("inf")), "steps"),
        (lambda: diffusion(RELEASED, FP8, H100, Efficiency(), steps=8, sampler_passes=-1), "sampler passes"),
        (lambda: Efficiency(bandwidth=0), "efficiency of the bandwidth"),
        (lambda: Efficiency(overhead=-1), "an overhead"),
        (lambda: Hardware("none", 100, None, 0, 80, "a test"), "the bandwidth of none"),
        (lambda: calibrated(decode_pass(RELEASED, FP8), Pair(H100, 4, H100, 5, "a test")), "same bandwidth"),
        (lambda: calibrated(decode_pass(RELEASED, FP8), Pair(H100, 4, HARDWARE["H200"], 5, "a test")), "do not fit"),
    ],
)
def test_impossible_things_are_refused_in_words(make, message):
    with pytest.raises(SettingError, match=message):
        make()


def test_hardware_names_are_keys_and_every_number_has_a_source():
    for name, device in HARDWARE.items():
        assert device.name == name
        assert device.source
    for name, found in FORMATS.items():
        assert found.name == name
        assert found.source
