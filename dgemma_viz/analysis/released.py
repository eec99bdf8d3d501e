"""Settings that the model was released with: what thresholds are measured against.

Source: ``DiffusionGemmaGenerationConfig._get_default_generation_params`` in transformers 5.23.0; equal to the released
``generation_config.json`` of google/diffusiongemma-26B-A4B-it.
"""

from __future__ import annotations

MAX_DENOISING_STEPS = 48
ENTROPY_BOUND = 0.1
"""Nats."""
T_MIN = 0.4
T_MAX = 0.8
STABILITY_THRESHOLD = 1
"""Steps."""
CONFIDENCE_THRESHOLD = 0.005
"""Mean entropy, nats."""


def temperature(step: int) -> float:
    """Temperature of a denoising step, counted from 0, under the released schedule.

    ``LinearTemperatureScheduleLogitsProcessor``: ``t_min + (t_max - t_min) * n / N`` with ``n`` steps remaining. Beyond
    the last of the 48 steps: ``t_min``.
    """
    remaining = max(MAX_DENOISING_STEPS - step, 0)
    return T_MIN + (T_MAX - T_MIN) * remaining / MAX_DENOISING_STEPS
