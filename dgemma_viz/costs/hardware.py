"""Hardware: dense peak rates, memory bandwidth and memory size, as published.

The reader's own machine is one more row: how fast it copies and multiplies, measured in a moment.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import Final

import numpy as np
import psutil

from dgemma_viz.costs.weight_format import WeightFormat
from dgemma_viz.range_check import checked_range


@dataclass(frozen=True)
class Hardware:
    """One device.

    Attributes
    ----------
    name
        Device.
    bf16, fp8
        Dense peak in TFLOP/s; None where it has no such units.
    bandwidth
        Of its memory, GB/s.
    memory
        GB.
    source
        Where the numbers come from.
    derived
        Some of them are derived from ratios, not published.

    Raises
    ------
    SettingError
        On construction: a number is not above 0.
    """

    name: str
    bf16: float
    fp8: float | None
    bandwidth: float
    memory: float
    source: str
    derived: bool = False

    def __post_init__(self) -> None:
        for what in ("bf16", "bandwidth", "memory"):
            checked_range(f"the {what} of {self.name}", getattr(self, what), ends="(]")
        if self.fp8 is not None:
            checked_range(f"the fp8 of {self.name}", self.fp8, ends="(]")

    def peak(self, weights: WeightFormat) -> float:
        """TFLOP/s for a weight format; BF16's where there is no FP8."""
        return self.fp8 if weights.multiplied_in == "fp8" and self.fp8 is not None else self.bf16


_DATASHEET = "vendor's datasheet, dense"
_RATIO = "derived from the ratios of datasheets"

HARDWARE: Mapping[str, Hardware] = MappingProxyType(
    {
        found.name: found
        for found in (
            Hardware("H100 SXM", 989, 1979, 3350, 80, _DATASHEET),
            Hardware("H200", 989, 1979, 4800, 141, _DATASHEET),
            Hardware("RTX 5090", 210, 419, 1792, 32, _RATIO, derived=True),
            Hardware("RTX 4090", 165, 330, 1008, 24, _DATASHEET),
            Hardware("RTX 4070", 58, 117, 504, 12, _RATIO, derived=True),
            Hardware("L4", 121, 242, 300, 24, _DATASHEET),
            Hardware("DGX Spark GB10", 125, 250, 273, 128, _RATIO, derived=True),
            Hardware("M1 Ultra", 21, None, 800, 128, "vendor, FP32 rate of its 64-core GPU"),
            Hardware("M4 Max", 34, None, 546, 128, "vendor, FP16"),
        )
    }
)
"""By name."""


_REPEATS: Final = 5
_COPIED: Final = 2**27
"""Bytes; more than the caches hold."""
_SIDE: Final = 1024
_GIGA, _TERA = 1e9, 1e12


def this_machine(repeats: int = _REPEATS) -> Hardware:
    """Copy bandwidth and FP32 matrix rate of the CPU, medians of a few trials; about a second.

    numpy's own threads are used. A copy reads and writes, so both directions count. Memory is what the system reports.
    """
    source = np.ones(_COPIED // 4, dtype=np.float32)
    target = np.empty_like(source)
    left, right = (np.random.default_rng(seed).random((_SIDE, _SIDE), dtype=np.float32) for seed in (0, 1))
    copying = _seconds(lambda: np.copyto(target, source), repeats)
    multiplying = _seconds(lambda: np.matmul(left, right), repeats)
    return Hardware(
        f"this machine ({platform.processor() or platform.machine() or 'CPU'})",
        bf16=2 * _SIDE**3 / multiplying / _TERA,
        fp8=None,
        bandwidth=2 * _COPIED / copying / _GIGA,
        memory=physical_memory(),
        source=f"measured here: median of {repeats} copies and FP32 products with numpy {np.__version__}",
    )


def _seconds(work: Callable[[], object], repeats: int) -> float:
    work()  # the first touches new pages
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times)


def physical_memory() -> float:
    """Memory of this machine, GB."""
    return float(psutil.virtual_memory().total) / _GIGA
