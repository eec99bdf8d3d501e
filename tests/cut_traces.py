"""Traces of which something is missing: steps that a run never made, arrays that a runtime did not log."""

from dataclasses import replace

import numpy as np

from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.schema import ARRAYS


def without_steps(trace, **facts):
    """What is left of a run that failed before its first step."""
    arrays = {name: getattr(trace, name)[:0] for name, spec in ARRAYS.items() if spec.axes[0] in "SN"}
    failed = {"status": "failed", "error": "OutOfMemoryError: no <memory>"}
    return replace(trace, **arrays, facts=replace(trace.facts, **failed | facts))


def without(trace, *names):
    """The trace as a runtime would give it that did not log these arrays."""
    nothing = {"i": UNKNOWN_TOKEN, "f": np.nan, "b": False}
    arrays = {name: np.full_like(getattr(trace, name), nothing[getattr(trace, name).dtype.kind]) for name in names}
    if "accepted" in names:
        arrays["decision"] = None
    return replace(trace, **arrays, facts=replace(trace.facts, absent=names))
