"""How close each step came to stopping, and which condition held it back.

The rule is that of transformers' ``StableAndConfidentStoppingCriteria``: stop when the draft has been unchanged for
``stability_threshold`` steps *and* the mean entropy is below ``confidence_threshold``.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def steps_to_stable(run: CanvasRun) -> Array:
    """Further unchanged steps that stability needed: float ``(T,)``; 0 where met, NaN without a threshold."""
    needed = _threshold(run.trace.facts.settings, "stability_threshold")
    missing: Array = np.maximum(needed - run.array("stable_steps").astype(float), 0.0)
    return missing


def entropy_over_threshold(run: CanvasRun) -> Array:
    """Mean entropy / confidence threshold: float ``(T,)``; below 1 where met, NaN without a threshold."""
    threshold = _threshold(run.trace.facts.settings, "confidence_threshold")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Array = run.array("mean_entropy").astype(float) / threshold
    return ratio


def held_back_by(run: CanvasRun) -> list[str]:
    """Per step: ``"stability"``, ``"confidence"``, ``"both"``, ``"nothing"``, or ``"no stop rule"``."""
    unstable, unsure = steps_to_stable(run), entropy_over_threshold(run)
    words = {(True, True): "both", (True, False): "stability", (False, True): "confidence", (False, False): "nothing"}
    return [
        "no stop rule" if math.isnan(a) or math.isnan(b) else words[bool(a > 0), bool(b >= 1)]
        for a, b in zip(unstable.tolist(), unsure.tolist(), strict=True)
    ]


def _threshold(settings: Mapping[str, Any], name: str) -> float:
    value = settings.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and value is not None else float("nan")
