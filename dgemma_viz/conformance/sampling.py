"""Whether candidates are drawn from the recorded distributions, and never what was ruled out.

Each candidate equals the draft with the draft's probability, its confidence, whatever happened before. Candidates that
agree with the draft too often (greedy candidates, confidence from raw logits while the sampler used a temperature below
1) or too seldom are found by :mod:`dgemma_viz.conformance.statistical`. Sure candidates say little: of 100 drawn at a
confidence of 0.999, one is expected to differ every tenth time.
"""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.restraints import banned_drafts, clamped
from dgemma_viz.conformance.evidence import Evidence, each, first_wrong, steps_of
from dgemma_viz.conformance.statistical import Draws, Question, Statistical, draws_at
from dgemma_viz.rules import need
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.model import CanvasRun


def _drawn(_evidence: Evidence, run: CanvasRun) -> Draws:
    equal, confidence = run.array("candidate") == run.array("draft"), run.array("confidence").astype(float)
    free = np.isfinite(confidence) & run.decided[:, None] & ~clamped(run)  # of one token, nothing is drawn
    return draws_at(free, equal, confidence, steps_of(run))


def _stays_out(_evidence: Evidence, run: CanvasRun) -> Checked:
    draft, candidate, banned = (run.array(name) for name in ("draft", "candidate", "banned_draft"))
    lost, alone, decided = banned_drafts(run), clamped(run), run.decided[:, None]
    wrong_draft = lost & (draft == banned)
    wrong = wrong_draft | (decided & ((lost & (candidate == banned)) | (alone & (candidate != draft))))

    def tell(t: int, position: int) -> tuple[str, str, str]:
        what, ids = ("draft", draft) if wrong_draft[t, position] else ("candidate", candidate)
        found = f"token {ids[t, position]}"
        left = f"token {draft[t, position]}" if alone[t, position] else f"any but token {banned[t, position]}"
        return found, left, f"The {what} is {found}, which was ruled out: {left} was left."

    return first_wrong(lost | alone, wrong, steps_of(run), tell)


RULES = (
    Rule(
        "ruled-out-stays-out",
        "Neither draft nor candidate is a token that a logits processor left no probability.",
        "LogitsProcessor; DiffusionGemmaGenerationMixin._denoising_step (argmax and multinomial of processed logits)",
        (need.TOKENS_RULED_OUT, need.arrays("candidate")),
        each(_stays_out),
        "no draft was ruled out, and no position clamped",
    ),
    Rule(
        "candidates-drawn",
        "Candidates are drawn from the distribution whose confidence is recorded: they equal the draft as often as it "
        "says (statistical).",
        "DiffusionGemmaGenerationMixin._denoising_step (torch.multinomial of the softmax of processed logits)",
        (need.ENTROPY_BOUND, need.arrays("candidate", "confidence")),
        Statistical(
            Question(
                "candidates",
                "equal their draft",
                "they are drawn or always the draft",
                "the recorded confidences",
                _drawn,
                both_sides=True,
                rounded=True,
            ),
        ),
    ),
)
