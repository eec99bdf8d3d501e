"""How close each step came to stopping, and which condition held it back.

The rule is that of transformers' ``StableAndConfidentStoppingCriteria``: stop when the draft has been unchanged for
``stability_threshold`` steps *and* the mean entropy is below ``confidence_threshold``. diffusers' pipeline has the same
rule, but hands it block refinement's and discrete DDIM's logits before temperature (:func:`stop_temperatures`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def stop_temperatures(run: CanvasRun) -> Array:
    """What divides the logits of the recorded entropy but not those of the stop rule's: float ``(T,)``, mostly 1.

    Where it is not 1, the entropy that the rule compared is not in the trace: above 1 it was at most the recorded one,
    below 1 at least. NaN if the temperature is unknown.
    """
    temperatures: Array = run.array("temperature").astype(float)
    before = sampler_kind(run.trace) in {SamplerKind.BLOCK_REFINEMENT, SamplerKind.DISCRETE_DDIM}
    return temperatures if before else np.ones_like(temperatures)


def steps_to_stable(run: CanvasRun) -> Array:
    """Further unchanged steps that stability needed: float ``(T,)``; 0 where met, NaN without a threshold."""
    needed = _threshold(run.trace.facts.settings, "stability_threshold")
    missing: Array = np.maximum(needed - run.array("stable_steps").astype(float), 0.0)
    return missing


def entropy_over_threshold(run: CanvasRun) -> Array:
    """Mean entropy / confidence threshold: float ``(T,)``; below 1 where met, NaN without a threshold.

    Of the recorded entropy, which the rule did not compare where :func:`stop_temperatures` is not 1.
    """
    threshold = _threshold(run.trace.facts.settings, "confidence_threshold")
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Array = run.array("mean_entropy").astype(float) / threshold
    return ratio


def held_back_by(run: CanvasRun) -> list[str]:
    """Per step: ``"stability"``, ``"confidence"``, ``"both"``, ``"nothing"``, ``"no stop rule"``, or ``"unknown"``.

    Unknown is where the entropy that the rule compared is not in the trace (:func:`stop_temperatures`).
    """
    unstable, unsure, temperatures = steps_to_stable(run), entropy_over_threshold(run), stop_temperatures(run)
    words = {(True, True): "both", (True, False): "stability", (False, True): "confidence", (False, False): "nothing"}
    return [
        "no stop rule" if math.isnan(a) or math.isnan(b) else words[bool(a > 0), bool(b >= 1)] if t == 1 else "unknown"
        for a, b, t in zip(unstable.tolist(), unsure.tolist(), temperatures.tolist(), strict=True)
    ]


def _threshold(settings: Mapping[str, Any], name: str) -> float:
    value = settings.get(name)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and value is not None else float("nan")
