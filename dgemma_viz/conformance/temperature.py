"""The temperature schedule: linear in the number of steps that REMAIN, the present one included."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def _scheduled(evidence: Evidence, steps: Array) -> Array:
    """Temperature of each step; 1 where no schedule was asked for."""
    t_min, t_max = evidence.number("t_min"), evidence.number("t_max")
    limit = evidence.number("max_denoising_steps")
    if t_min is None or t_max is None or not limit:
        return np.ones(len(steps))
    scheduled: Array = t_min + (t_max - t_min) * (limit - steps) / limit
    return scheduled


def _schedule(evidence: Evidence, run: CanvasRun) -> Checked:
    steps, found = steps_of(run), run.array("temperature").astype(float)
    expected, known = _scheduled(evidence, steps), np.isfinite(found)
    wrong = known & ~(np.abs(found - expected) <= evidence.tolerances.relative * np.abs(expected))
    if not wrong.any():
        return Checked(int(known.sum()))
    (t,) = first_place(wrong)
    return Checked(
        int(known.sum()),
        Breach(
            int(steps[t]),
            None,
            f"{found[t]:.6g}",
            f"{expected[t]:.6g}",
            f"Step {steps[t]} divided its logits by {found[t]:.6g}, but the schedule gives {expected[t]:.6g}.",
            int(wrong.sum()),
        ),
    )


def _no_other_temperature(evidence: Evidence) -> str:
    names = evidence.settings.get("logits_processors")
    other = isinstance(names, list | tuple) and "TemperatureLogitsWarper" in names
    return "a TemperatureLogitsWarper of the caller's own divides the logits, too" if other else ""


RULES = (
    Rule(
        "temperature-schedule",
        "Temperature is t_min + (t_max - t_min) * n / N with n of N steps remaining, n = N in the first step.",
        "LinearTemperatureScheduleLogitsProcessor.__call__",
        (
            needs.left_alone("ChangeParameters"),
            needs.known_values("temperature"),
            needs.settings("t_min", "t_max", "max_denoising_steps"),
            _no_other_temperature,
        ),
        each(_schedule),
        concerns=concerns.reference,
    ),
)
