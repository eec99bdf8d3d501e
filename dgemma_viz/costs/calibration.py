"""Efficiency factors from two published devices: two points, two unknowns, so this fits and does not validate.

V published FP8 decoding at batch 1 of the same software on an H100 and an H200, which differ in bandwidth alone. With
``t = a + bytes / (eta_b * BW)`` on both, ``a`` and ``eta_b`` follow from the two times. ``eta_c`` does not show in
them; it stays an assumption.

How far to believe it: the fits of autoregressive decoding and of drafting need 106 % of the published peak bandwidth,
which no device has. So either fewer bytes are read than counted here, or the two rounded figures of each fit do not say
what is taken from them; the fixed part (three quarters of an autoregressive pass on an H100) is as uncertain. The
autoregressive and drafting figures are of gemma-4-26B-A4B, a sibling with the same sizes: nobody has published
DiffusionGemma decoding token by token. Of drafting, V says 80 % accepted, made up; read as a rate given the drafts
before, 3.36 tokens a pass. Were it the share of all drafts, a pass would take 10.8 ms in place of 8.64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from dgemma_viz.costs.hardware import HARDWARE, Hardware
from dgemma_viz.costs.passes import Pass, canvas_pass, decode_pass, verify_pass
from dgemma_viz.costs.roofline import Efficiency
from dgemma_viz.costs.shape import RELEASED
from dgemma_viz.costs.weight_format import FORMATS
from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range

ASSUMED_COMPUTE: Final = 0.5
"""No published pair shows it: half of the dense peak."""
COMPUTE_RANGE: Final = (0.2, 0.7)
"""Between these the share of the dense peak is thought to lie. What depends on it is told as a range."""
_GIGA, _MILLI = 1e9, 1e3


@dataclass(frozen=True)
class Pair:
    """The same pass on two devices, milliseconds each."""

    first: Hardware
    first_time: float
    second: Hardware
    second_time: float
    source: str


def calibrated(one: Pass, pair: Pair, compute: float = ASSUMED_COMPUTE) -> Efficiency:
    """Overhead and bandwidth efficiency that explain both times.

    Raises
    ------
    SettingError
        The times do not fall with the bandwidth, so that no overhead of 0 or more explains them.
    """
    slow, fast = 1 / pair.first.bandwidth, 1 / pair.second.bandwidth
    if slow == fast:
        raise SettingError("two devices of the same bandwidth say nothing about its efficiency: choose another pair")
    per = (
        checked_range("a time", pair.first_time, ends="(]") - checked_range("a time", pair.second_time, ends="(]")
    ) / (slow - fast)
    overhead = pair.first_time - per * slow
    if per <= 0 or overhead < 0:
        raise SettingError("these two times do not fit a fixed part and a part that falls with bandwidth")
    return Efficiency(_MILLI * one.bytes / _GIGA / per, compute, overhead)


_H100, _H200, _FP8 = HARDWARE["H100 SXM"], HARDWARE["H200"], FORMATS["FP8"]

PAIRS: Mapping[str, tuple[Pass, Pair]] = MappingProxyType(
    {
        "autoregressive": (decode_pass(RELEASED, _FP8), Pair(_H100, 5.08, _H200, 4.69, "V: 197 and 213 tokens/s")),
        "drafting": (
            verify_pass(RELEASED, _FP8, drafted=4),
            Pair(_H100, 8.64, _H200, 7.84, "V: 389 and 429 tokens/s, k = 4, 80 % accepted"),
        ),
        "diffusion": (
            canvas_pass(RELEASED, _FP8),
            Pair(_H100, 14.94, _H200, 11.69, "V: 1008 and 1288 tokens/s, 17 passes a canvas"),
        ),
    }
)
"""What is fitted, by way of decoding."""

CALIBRATED: Mapping[str, Efficiency] = MappingProxyType({way: calibrated(*pair) for way, pair in PAIRS.items()})
"""By way of decoding."""
