"""Whether candidates are drawn from the recorded distributions: a statistical rule.

Each candidate equals the draft with the draft's probability, its confidence, whatever happened before. Candidates that
agree with the draft too often (greedy candidates, confidence from raw logits while the sampler used a temperature below
1) or too seldom are found by :mod:`dgemma_viz.conformance.statistical`. Sure candidates say little: of 100 drawn at a
confidence of 0.999, one is expected to differ every tenth time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import steps_of
from dgemma_viz.conformance.rule import Rule
from dgemma_viz.conformance.statistical import Draws, Question, Statistical, draws_at

if TYPE_CHECKING:
    from dgemma_viz.conformance.evidence import Evidence
    from dgemma_viz.trace.model import CanvasRun


def _drawn(_evidence: Evidence, run: CanvasRun) -> Draws:
    equal, confidence = run.array("candidate") == run.array("draft"), run.array("confidence").astype(float)
    return draws_at(np.isfinite(confidence) & run.decided[:, None], equal, confidence, steps_of(run))


RULES = (
    Rule(
        "candidates-drawn",
        "Candidates are drawn from the distribution whose confidence is recorded: they equal the draft as often as it "
        "says (statistical).",
        "DiffusionGemmaGenerationMixin._denoising_step (torch.multinomial of the softmax of processed logits)",
        (needs.arrays("candidate", "confidence"),),
        Statistical(
            (
                Question(
                    "candidates",
                    "equal their draft",
                    "they are drawn or always the draft",
                    "the recorded confidences",
                    _drawn,
                    both_sides=True,
                    rounded=True,
                ),
            )
        ),
        concerns=concerns.reference,
    ),
)
