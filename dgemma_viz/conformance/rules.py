"""All rules, in the order in which a step goes through them: an earlier one is the likelier cause of a later one."""

from __future__ import annotations

from dgemma_viz.conformance import (
    acceptance,
    commits,
    drafts,
    emission,
    finished_rows,
    finiteness,
    next_canvas,
    probabilities,
    sampling,
    stopping,
    temperature,
    unmasking,
)
from dgemma_viz.conformance.rule import Rule

RULES: tuple[Rule, ...] = (
    *finiteness.RULES,
    *temperature.RULES,
    *drafts.RULES,
    *probabilities.RULES,
    *sampling.RULES,
    *acceptance.RULES,
    *commits.RULES,
    *unmasking.RULES,
    *next_canvas.RULES,
    *stopping.RULES,
    *finished_rows.RULES,
    *emission.RULES,
)
