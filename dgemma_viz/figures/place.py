"""Which run, step and position a figure is about: the user's arguments checked and resolved."""

from __future__ import annotations

import operator

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.model import CanvasRun


def resolve_run(trace: TraceLike, canvas: int, sample: int) -> CanvasRun:
    """One canvas of one sample, both counted from 0.

    Raises
    ------
    TraceError
        There is no such canvas or sample, or what was given is not a trace.
    SettingError
        One of the numbers is not whole.
    """
    return as_trace(trace, "a figure").canvas_run(whole_number("canvas", canvas), whole_number("sample", sample))


def resolve_step(run: CanvasRun, step: int) -> int:
    """A step of the run from 0; negative steps count from the end.

    Raises
    ------
    SettingError
        It is not a whole number, or the run has no such step.
    """
    number = whole_number("step", step)
    if not -run.n_steps <= number < run.n_steps:
        raise SettingError(
            f"step {number} is not in canvas {run.canvas} of sample {run.sample}, which has {run.n_steps} active "
            f"step(s): choose from 0 to {run.n_steps - 1}, or count from the end with -1"
        )
    return number % run.n_steps


def resolve_position(run: CanvasRun, position: int) -> int:
    """A position of the canvas, from 0.

    Raises
    ------
    SettingError
        It is not a whole number, or outside the canvas.
    """
    number = whole_number("position", position)
    if not 0 <= number < run.canvas_length:
        raise SettingError(f"position {number} is outside the canvas: choose from 0 to {run.canvas_length - 1}")
    return number


def whole_number(name: str, value: int) -> int:
    """An argument that must be a whole number.

    Raises
    ------
    SettingError
        It is not.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise SettingError(f"{name} is {value!r}; it must be a whole number") from None
