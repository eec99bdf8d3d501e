"""Whether a repeated run is the one that was recorded: over all samples, and to the last bit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.divergence import Divergence, divergence_of
from dgemma_viz.trace.schema import ARRAYS

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace

_MAY_DIFFER = {"wall_time"}


def first_difference(a: Trace, b: Trace) -> Divergence | None:
    """The earliest divergence of all samples; None if there is none."""
    pair = pair_of(a, b)
    found = [divergence_of(pair, sample) for sample in range(pair.n_samples)]
    return min((one for one in found if one is not None), key=lambda one: (one.canvas, one.step), default=None)


def identical(a: Trace, b: Trace) -> bool:
    """Whether every recorded array is the same to the last bit, times aside."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=getattr(a, name).dtype.kind == "f")
        for name in ARRAYS
        if name not in _MAY_DIFFER
    )
