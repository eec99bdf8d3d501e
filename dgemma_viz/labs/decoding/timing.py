"""How long a call takes, bare: nothing records, the device has finished, and one call went before."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from dgemma_viz.errors import SettingError

MOST_REPEATS = 100


def seconds_of(run: Callable[[], Any], device: Any, *, repeats: int, seed: int) -> float:
    """Median wall time of a few calls, each from the same seed.

    Parameters
    ----------
    device
        Waited for before the clock starts and before it stops.

    Raises
    ------
    SettingError
        The number of repeats is out of range.
    """
    import torch

    if isinstance(repeats, bool) or not isinstance(repeats, int) or not 1 <= repeats <= MOST_REPEATS:
        raise SettingError(f"{repeats!r} repeats is out of range; choose 1 to {MOST_REPEATS}")
    taken = []
    for _ in range(repeats):
        torch.manual_seed(seed)
        _wait_for(torch.device(device))
        started = time.perf_counter()
        run()
        _wait_for(torch.device(device))
        taken.append(time.perf_counter() - started)
    return median(taken)


def _wait_for(device: Any) -> None:
    import torch

    if device.type in ("cuda", "mps"):
        getattr(torch, device.type).synchronize()
