"""All rules of the diagnosis, by theme, in the order in which findings of one severity are listed."""

from __future__ import annotations

from dgemma_viz.diagnosis import (
    acceptance,
    against_reference,
    canvas_boundary,
    certainty,
    channels,
    ending,
    numbers,
    reference_rules,
    repetition,
    restraints,
    settings,
    stopping,
)
from dgemma_viz.diagnosis.rule import Rule

RULES: tuple[Rule, ...] = (
    *numbers.RULES,
    *settings.RULES,
    *reference_rules.RULES,
    *stopping.RULES,
    *ending.RULES,
    *channels.RULES,
    *repetition.RULES,
    *canvas_boundary.RULES,
    *against_reference.RULES,
    *certainty.RULES,
    *acceptance.RULES,
    *restraints.RULES,
)
"""Causes come before effects: broken numbers or another sampler explain most of what follows."""
