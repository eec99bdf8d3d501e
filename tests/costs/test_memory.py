"""Memory by format: what was published is not far off, and what does not fit is not offered."""

import pytest

from dgemma_viz.costs import HARDWARE, RELEASED, memory_table
from dgemma_viz.errors import SettingError


def test_the_formats_need_what_was_published():
    table = memory_table(context=0).set_index("format")
    for name, published in {"BF16": 52, "NVFP4": 18, "Q4_K_M": 16}.items():
        assert str(published) in table.loc[name, "published"]
        assert table.loc[name, "gigabytes"] == pytest.approx(published, rel=0.16)
    assert list(table["gigabytes"].sort_values(ascending=False).index[:2]) == ["BF16", "FP8"]


def test_only_devices_that_hold_it_are_named():
    for row in memory_table().itertuples():
        for name in row.devices.split(", "):
            assert HARDWARE[name].memory >= row.gigabytes
    assert "RTX 4090" not in memory_table().set_index("format").loc["BF16", "devices"]


def test_a_longer_context_needs_more():
    short, long = (memory_table(RELEASED, context=n)["gigabytes"] for n in (1024, 262_144))
    assert (long > short + 5).all()
    with pytest.raises(SettingError, match="context"):
        memory_table(context=-1)
