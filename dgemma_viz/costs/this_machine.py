"""The reader's own machine as a row of the hardware table: how fast it copies and multiplies, measured in a moment."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Final

import numpy as np
import psutil

from dgemma_viz.costs.hardware import Hardware

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
