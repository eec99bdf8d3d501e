"""Memory by format and user: what was published is not far off, canvas buffers count, what does not fit is refused."""

import re

import pytest

from dgemma_viz.costs import CALIBRATED, FORMATS, HARDWARE, RELEASED, autoregressive, diffusion, memory_table
from dgemma_viz.costs.memory import canvas_buffers, check_fits, most_users, user_bytes
from dgemma_viz.errors import SettingError

FP8, H100 = FORMATS["FP8"], HARDWARE["H100 SXM"]


def test_the_formats_need_what_was_published():
    table = memory_table().set_index("format")
    for name, published in {"BF16": 2 * 25.8, "NVFP4": 17 * 1.074, "Q4_K_M": 16}.items():
        assert table.loc[name, "weights"] == pytest.approx(published, rel=0.2)
    assert "17 GiB" in table.loc["NVFP4", "published"]
    assert list(table["weights"].sort_values(ascending=False).index[:2]) == ["BF16", "FP8"]


def test_a_canvas_takes_six_tensors_of_logits_as_vllm_holds_them():
    """vllm#50699: at eight requests each of the six is 2.1 GB."""
    assert canvas_buffers(RELEASED) == pytest.approx(1.6e9, rel=0.01)
    assert 8 * canvas_buffers(RELEASED) / 6 == pytest.approx(2.15e9, rel=0.01)


def test_users_whose_canvases_do_not_fit_are_refused():
    most = most_users(RELEASED, FP8, H100, canvas=True)
    assert most == 33
    assert most_users(RELEASED, FP8, H100, context=1024, canvas=True) < most
    diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=16, batch=most)
    with pytest.raises(SettingError, match=r"for 34 users, canvas buffers included.* 33 at most; choose fewer users"):
        diffusion(RELEASED, FP8, H100, CALIBRATED["diffusion"], steps=16, batch=most + 1)
    autoregressive(RELEASED, FP8, H100, CALIBRATED["autoregressive"], batch=most + 1)


def test_nothing_limits_users_that_take_nothing():
    assert most_users(RELEASED, FP8, H100) is None
    assert most_users(RELEASED, FP8, HARDWARE["RTX 4090"], canvas=True) == 0
    check_fits(RELEASED, FP8, H100, batch=10**6)


def test_only_devices_that_hold_it_are_named_with_their_users():
    for row in memory_table().itertuples():
        for name, users in re.findall(r"([^,(]+) \((\d+)\)", row.devices):
            memory = HARDWARE[name.strip()].memory
            assert row.weights + int(users) * row.user <= memory < row.weights + (int(users) + 1) * row.user
    table = memory_table().set_index("format")
    assert "RTX 4090" not in table.loc["FP8", "devices"]
    assert "RTX 4090 (4)" in table.loc["NVFP4", "devices"]


def test_a_longer_context_takes_more_for_each_user():
    short, long = (memory_table(RELEASED, context=n)["user"] for n in (1024, 262_144))
    assert (long > short + 5).all()
    assert short[0] * 1e9 == pytest.approx(user_bytes(RELEASED, context=1024, canvas=True))
    with pytest.raises(SettingError, match="context"):
        memory_table(context=-1)
