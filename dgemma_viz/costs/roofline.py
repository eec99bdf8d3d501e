"""Time of a pass: a fixed part, and the slower of reading and computing (the roofline of Williams et al. 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dgemma_viz.costs.hardware import Hardware
from dgemma_viz.costs.passes import Pass
from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range

_GIGA, _TERA, _MILLI = 1e9, 1e12, 1e3


@dataclass(frozen=True)
class Efficiency:
    """What is left of the peaks, and what comes on top.

    Attributes
    ----------
    bandwidth, compute
        Factors on the peaks. A fit may need more than 1, which no device has: a sign that it is not all physics (see
        :mod:`dgemma_viz.costs.calibration`).
    overhead
        Fixed part of a pass: launches, sampling, scheduling; milliseconds.

    Raises
    ------
    SettingError
        On construction: a factor is not above 0, or the overhead is negative.
    """

    bandwidth: float = 0.8
    compute: float = 0.5
    overhead: float = 4.0

    def __post_init__(self) -> None:
        checked_range("an efficiency of the bandwidth", self.bandwidth, ends="(]")
        checked_range("an efficiency of the compute units", self.compute, ends="(]")
        checked_range("an overhead", self.overhead)


@dataclass(frozen=True)
class StepTime:
    """Milliseconds of one pass.

    Attributes
    ----------
    overhead, reading, computing
        The three parts.
    """

    overhead: float
    reading: float
    computing: float

    @property
    def total(self) -> float:
        """Overhead, and the longer of the other two."""
        return self.overhead + max(self.reading, self.computing)

    @property
    def limit(self) -> Literal["overhead", "bandwidth", "compute"]:
        """Which part is the longest."""
        if self.overhead >= max(self.reading, self.computing):
            return "overhead"
        return "bandwidth" if self.reading >= self.computing else "compute"


def step_time(one: Pass, hardware: Hardware, weights: WeightFormat, efficiency: Efficiency) -> StepTime:
    """Time of a pass on a device: ``overhead + max(bytes / (eta_b * BW), FLOPs / (eta_c * peak))``."""
    return StepTime(
        efficiency.overhead,
        _MILLI * one.bytes / (efficiency.bandwidth * hardware.bandwidth * _GIGA),
        _MILLI * one.flops / (efficiency.compute * hardware.peak(weights) * _TERA),
    )
