"""The draft is the most probable token, and the confidence its probability."""

from __future__ import annotations

import numpy as np

from dgemma_viz.conformance import needs
from dgemma_viz.conformance.evidence import Array, Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import CanvasRun


def _draft_is_top(evidence: Evidence, run: CanvasRun) -> Checked:
    draft, ids = run.array("draft"), run.array("top_k_ids")
    p = run.array("top_k_probabilities").astype(float)
    known = np.isfinite(p).all(axis=-1) & _one_distribution(run)
    p = np.where(known[..., None], p, 0)
    best = p.max(axis=-1)
    own = np.where(ids == draft[..., None], p, -np.inf).max(axis=-1)
    wrong = known & ~(best - own <= 2 * evidence.tolerances.probability)
    if not wrong.any():
        return Checked(int(known.sum()))
    t, position = first_place(wrong)
    step, top = int(steps_of(run)[t]), int(ids[t, position, int(np.argmax(p[t, position]))])
    where = "is not among the alternatives" if own[t, position] < 0 else f"has probability {own[t, position]:.4g}"
    return Checked(
        int(known.sum()),
        Breach(
            step,
            position,
            f"token {draft[t, position]}",
            f"token {top}",
            f"The draft {where}, but token {top} has {best[t, position]:.4g}.",
            int(wrong.sum()),
        ),
    )


def _confidence_is_top(evidence: Evidence, run: CanvasRun) -> Checked:
    confidence = run.array("confidence").astype(float)
    p = run.array("top_k_probabilities").astype(float)
    known = np.isfinite(confidence) & np.isfinite(p).all(axis=-1) & _one_distribution(run)
    confidence, best = np.where(known, confidence, 0), np.where(known, p.max(axis=-1), 0)
    wrong = known & ~(np.abs(confidence - best) <= 2 * evidence.tolerances.probability)
    if not wrong.any():
        return Checked(int(known.sum()))
    t, position = first_place(wrong)
    found, expected = confidence[t, position], best[t, position]
    return Checked(
        int(known.sum()),
        Breach(
            int(steps_of(run)[t]),
            position,
            f"{found:.4g}",
            f"{expected:.4g}",
            f"Confidence is {found:.4g}, but the most probable token has {expected:.4g}: they belong to different "
            "distributions, such as those before and after temperature.",
            int(wrong.sum()),
        ),
    )


def _one_distribution(run: CanvasRun) -> Array:
    """Steps whose alternatives are of the draft's distribution, bool ``(T, 1)``: a sweep draws from another."""
    plain: Array = run.trace.phase[run.steps] != Phase.CORRECT
    return plain[:, None]


RULES = (
    Rule(
        "draft-is-top-1",
        "The draft is the argmax of the processed logits; of equally probable tokens, any.",
        "DiffusionGemmaGenerationMixin._denoising_step (new_argmax_canvas)",
        (needs.arrays("top_k_ids", "top_k_probabilities"),),
        each(_draft_is_top),
    ),
    Rule(
        "confidence-is-top-1",
        "Confidence is the probability of the most probable token, under the distribution that was sampled from.",
        "diffusers#14386 (confidence from raw logits)",
        (needs.arrays("confidence", "top_k_probabilities"),),
        each(_confidence_is_top),
    ),
)
