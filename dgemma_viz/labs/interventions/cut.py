"""The beginning of a trace, as if the run had been stopped there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace


def place_of(trace: Trace, canvas: int, step: int) -> int:
    """Index on the axis ``S`` of a step.

    Raises
    ------
    SettingError
        The trace does not have it; the message says what it has.
    """
    if not 0 <= canvas < trace.n_canvases:
        raise SettingError(f"there is no canvas {canvas} in this run, which has {trace.n_canvases} (counted from 0)")
    places = np.flatnonzero(trace.canvas == canvas)
    if not 0 <= step < len(places):
        raise SettingError(
            f"there is no step {step} in canvas {canvas} of this run, which ran steps 0 to {len(places) - 1} there"
        )
    return int(places[step])


def cut(trace: Trace, steps: int) -> Trace:
    """The first steps of a trace, as if it had been interrupted after them: the canvas at hand was not emitted yet."""
    steps = min(steps, trace.n_steps)
    canvases = int(trace.canvas[steps - 1]) if steps else 0
    arrays = {name: getattr(trace, name)[:steps] for name, spec in ARRAYS.items() if spec.axes[0] == "S"}
    arrays |= {name: getattr(trace, name)[:canvases] for name, spec in ARRAYS.items() if spec.axes[0] == "N"}
    arrays |= {name: held[:steps] for name in RULED_OUT if (held := getattr(trace, name)) is not None}
    facts = replace(trace.facts, status="interrupted", error=f"cut after {steps} steps")
    return replace(trace, **arrays, facts=facts)
