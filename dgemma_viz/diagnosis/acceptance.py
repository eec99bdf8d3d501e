"""Rules about what the sampler accepted: a bound too loose or too tight, and output that was never accepted."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis import released
from dgemma_viz.diagnosis.case import UNSURE, Array, CanvasCase, per_canvas
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, places
from dgemma_viz.rules.rule import Rule

MANY, LARGE_SHARE = 3, 0.5
"""Never-accepted positions that are worth a warning however sure: as many, and this share of the answer. Half of the
output was then drafted beside random tokens and never read again."""
LOOSE = 10 * released.ENTROPY_BOUND
"""Nats that a step spent: ten times what the released bound allows. What is spent bounds the mutual information of the
tokens accepted together (arXiv 2505.24857), so below the bound they are nearly independent."""
CONTRADICTED = 2
"""Accepted tokens that the very next step's draft contradicts: one may be the odd candidate that differs from the
draft, several were accepted without regard to each other."""
CERTAIN = 0.999
"""Confidence of a position that there is nothing to doubt about: a dozen such fit into the released bound together."""
WASTED, WASTED_SHARE = 3, 0.5
"""Certain drafts of the answer that were re-noised, over all steps: as many, and this share of them."""


def _never_accepted(case: CanvasCase) -> Finding | None:
    if case.run.emitted is None:
        return None
    positions = np.flatnonzero(case.answer & ~case.ever_accepted)
    if not len(positions):
        return None
    lowest = float(case.confidence[-1, positions].min())
    share = len(positions) / int(case.answer.sum())
    grave = lowest < UNSURE or (len(positions) >= MANY and share >= LARGE_SHARE)
    return Finding(
        Severity.WARNING if grave else Severity.NOTE,
        f"{len(positions)} of {counted(int(case.answer.sum()), 'emitted token')} ({places(positions.tolist())}) had "
        f"never been accepted; the lowest confidence among them was {lowest:.3g} when the canvas was emitted.",
        step=case.last_step,
        positions=tuple(positions.tolist()),
        evidence={"tokens": len(positions), "share_of_answer": share, "lowest_confidence": lowest},
    )


def _spent(case: CanvasCase) -> Array:
    """What the bound limits, by step: sum of accepted entropies less the largest, nats ``(T,)``."""
    kept = np.where(case.accepted & np.isfinite(case.entropy), case.entropy, 0).astype(float)
    spent: Array = kept.sum(axis=1) - kept.max(axis=1)
    return spent


def _too_loose(case: CanvasCase) -> Finding | None:
    spent = _spent(case)
    steps = np.flatnonzero(spent > LOOSE)
    if not len(steps):
        return None
    following = steps[steps < case.last_step]
    wrong = case.accepted[following] & (case.candidate[following] != case.draft[following + 1])
    contradicted = int(wrong.sum())
    step = int(following[wrong.any(axis=1)][0] if contradicted else steps[0])
    positions = np.flatnonzero(wrong.any(axis=0)) if contradicted else np.flatnonzero(case.accepted[step])
    return Finding(
        Severity.WARNING if contradicted >= CONTRADICTED else Severity.NOTE,
        f"In {counted(len(steps), 'step')} the tokens accepted together had up to {spent.max():.3g} nats between them "
        f"(released bound: {released.ENTROPY_BOUND}); the step after contradicted {contradicted} of them.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={"most_nats_spent": float(spent.max()), "steps": len(steps), "contradicted": contradicted},
    )


def _too_tight(case: CanvasCase) -> Finding | None:
    certain = case.answer & (case.confidence >= CERTAIN) & case.decided & ~case.clamped
    wasted = certain & ~case.accepted
    number = int(wasted.sum())
    share = number / max(int(certain.sum()), 1)
    if number < WASTED or share < WASTED_SHARE:
        return None
    step = int(wasted.sum(axis=1).argmax())
    return Finding(
        Severity.WARNING,
        f"{share:.0%} of the answer's drafts that had a confidence of {CERTAIN} or more were re-noised all the same; "
        f"step {step} accepted {counted(int(case.accepted[step].sum()), 'position')} of {case.run.canvas_length}.",
        step=step,
        positions=tuple(np.flatnonzero(wasted[step]).tolist()),
        evidence={
            "certain_re_noised": number,
            "share": share,
            "entropy_bound": float(case.run.array("entropy_bound")[step]),
        },
    )


RULES = (
    Rule(
        name="emitted-but-never-accepted",
        title="Emitted, but never accepted",
        says="The output is the draft, not the accepted canvas: this token was emitted although the sampler had never "
        "accepted it, so no other position ever read it as context.",
        remedy="Allow more denoising steps, or a larger entropy bound, so that the token is read back and confirmed.",
        source="transformers 5.23 generate(), step 1.d: the argmax canvas is appended",
        needs=(need.ENTROPY_BOUND, need.arrays("accepted"), need.EMITTED, need.values("confidence")),
        check=per_canvas(_never_accepted),
    ),
    Rule(
        name="bound-too-loose",
        title="Entropy bound too loose",
        says="Many tokens that depend on each other were accepted in one step: each fits what was there before, but "
        "they need not fit each other.",
        remedy=f"Lower the entropy bound towards the released {released.ENTROPY_BOUND} nats.",
        source="EntropyBoundSampler.accept_canvas; arXiv 2505.24857, the bound on joint mutual information",
        needs=(need.ENTROPY_BOUND, need.arrays("accepted"), need.values("entropy")),
        check=per_canvas(_too_loose),
    ),
    Rule(
        name="bound-too-tight",
        title="Entropy bound too tight",
        says="Positions that the model was certain of were replaced by random tokens, so the other positions had to "
        "do without them: more steps, and worse context.",
        remedy=f"Raise the entropy bound towards the released {released.ENTROPY_BOUND} nats.",
        source="EntropyBoundSampler.accept_canvas; arXiv 2505.24857",
        needs=(need.ENTROPY_BOUND, need.arrays("accepted"), need.values("confidence")),
        check=per_canvas(_too_tight),
    ),
)
