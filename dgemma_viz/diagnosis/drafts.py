"""Rules about drafts: that never settle, are never sure, or were not left to the model."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.positions import returns
from dgemma_viz.analysis.restraints import banned_drafts
from dgemma_viz.diagnosis.case import CanvasCase, per_canvas
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, places, quote
from dgemma_viz.rules.rule import Rule

SURE = 0.9
"""Confidence from which a draft counts as decided. Below it the model is still looking: on prompts with many right
answers nearly every position changes its draft before that."""
RETURNS, NOTICEABLE_RETURNS = 3, 2
"""Times that a position's draft came back to a token which it had given up. Changing one's mind is how the model
repairs errors; coming back again and again is not."""
MORE_LIKELY_WRONG = 0.5
"""Confidence below which a draft is, by the model's own account, more likely wrong than right."""
MOST = 0.5
"""Share of clamped positions from which on numbers of the whole canvas say more of them than of the model."""


def _oscillation(case: CanvasCase) -> Finding | None:
    ran_out = _ran_out(case)
    decided, wandering = returns(case.run, SURE), returns(case.run) & ran_out
    times = np.maximum(decided.sum(axis=0), wandering.sum(axis=0))
    positions = np.flatnonzero(times >= NOTICEABLE_RETURNS)
    if not len(positions):
        return None
    worst = int(times.argmax())
    sure = int(decided[:, worst].sum())
    step = int(np.flatnonzero((decided if sure else wandering)[:, worst])[0])
    back, given_up = case.texts(case.draft[[step, step - 1], worst])
    held = (case.draft[:step, worst] == case.draft[step, worst]) & ~case.clamped[:step, worst]
    surest = float(np.nan_to_num(case.confidence[:step, worst])[held].max(initial=0))
    return Finding(
        Severity.WARNING if times[worst] >= RETURNS else Severity.NOTE,
        f"The draft of {places(positions.tolist())} came back to a token that it had given up; position {worst} did so "
        f"{counted(int(times[worst]), 'time')} in {case.run.n_steps} steps, first to {quote([back])} from "
        f"{quote([given_up])}. That token had been held with a confidence of {surest:.2g}"
        f"{', and the steps ran out before it had settled' if ran_out else ''}.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={
            "most_returns": int(times[worst]),
            "sure_returns": sure,
            "positions": len(positions),
            "flips": int(case.flips[:, positions].sum()),
        },
    )


def _ran_out(case: CanvasCase) -> bool:
    """Whether a canvas that has a stop rule used up its steps without meeting it."""
    has_rule = case.sample_case.run_case.kind.of_the_pipeline and case.number("confidence_threshold") is not None
    limit = case.number("max_denoising_steps")
    return has_rule and not case.stopped_by_rule and limit is not None and case.run.n_steps >= limit


def _never_confident(case: CanvasCase) -> Finding | None:
    measured = np.isfinite(case.confidence)
    asked = case.open & ~case.clamped
    best = np.where(measured & asked, case.confidence, 0).max(axis=0)
    judged = case.answer & ~case.given & asked.any(axis=0) & (measured | ~asked).all(axis=0)
    positions = np.flatnonzero(judged & (best < MORE_LIKELY_WRONG))
    if not len(positions):
        return None
    lowest, steps = float(best[positions].min()), int(asked[:, positions].sum(axis=0).max())
    return Finding(
        Severity.WARNING,
        f"{len(positions)} of the answer's {counted(int(case.answer.sum()), 'draft')} ({places(positions.tolist())}) "
        f"never reached a confidence of {MORE_LIKELY_WRONG} in {counted(steps, 'step')}; the least sure one "
        f"stayed at or below {lowest:.2g}.",
        step=case.last_step,
        positions=tuple(positions.tolist()),
        evidence={"positions": len(positions), "lowest_best_confidence": lowest},
    )


def _clamped(case: CanvasCase) -> Finding | None:
    clamped = case.clamped[-1]
    number, free = int(clamped.sum()), case.last_free_entropy
    if not number:
        return None
    mean, threshold = float(case.entropy[-1].mean(dtype=float)), case.number("confidence_threshold")
    only_so = case.stopped_by_rule and threshold is not None and mean < threshold <= free
    if not only_so and number < MOST * case.run.canvas_length:
        return None
    stopped = f", so the stop rule was met below {threshold}" if only_so else ""
    return Finding(
        Severity.WARNING if only_so else Severity.NOTE,
        f"{number} of {counted(case.run.canvas_length, 'position')} had one token left in the last step: over all, the "
        f"mean entropy was {mean:.3g} nats{stopped}; over the others it was {free:.3g}.",
        step=case.last_step,
        positions=tuple(np.flatnonzero(clamped).tolist()),
        evidence={"clamped": number, "mean_entropy": mean, "mean_entropy_of_free": free},
    )


def _banned(case: CanvasCase) -> Finding | None:
    lost = banned_drafts(case.run) & case.answer
    positions = np.flatnonzero(lost.any(axis=0))
    if not len(positions):
        return None
    step = int(np.flatnonzero(lost.any(axis=1))[-1])
    first = np.flatnonzero(lost[step])[0]
    wanted, instead = case.texts(np.array([case.run.array("banned_draft")[step, first], case.draft[step, first]]))
    to_the_end, alone = int(lost[-1].sum()), int((lost & case.clamped).any(axis=0).sum())
    return Finding(
        Severity.NOTE,
        f"The model's own draft was ruled out at {places(positions.tolist())}, to the last step at "
        f"{to_the_end or 'none'} of them: in step {step} it was {quote([wanted])}, where {quote([instead])} was left. "
        f"One token alone was left at {alone or 'none'} of them.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={"positions": len(positions), "in_last_step": to_the_end, "clamped": alone},
    )


RULES = (
    Rule(
        name="oscillation",
        title="Oscillation",
        says="A position's draft goes back and forth between tokens of which the model had been sure, or goes on "
        "doing so until the steps run out: what the model thinks depends on the random tokens around it, and what is "
        "emitted on the step at which it happens to stop. Drafts that change while nothing is decided are no fault.",
        remedy="Look at which neighbours change with it. Lower the temperatures, or vote over the steps (arXiv "
        "2508.09138).",
        source="temporal oscillation, arXiv 2508.09138",
        needs=(need.REDRAFTS, need.values("confidence")),
        check=per_canvas(_oscillation),
    ),
    Rule(
        name="never-confident",
        title="Never confident",
        says="A position never had a draft that the model held for more likely right than wrong.",
        remedy="Check the prompt and the temperatures (the confidence is that after temperature); where the model has "
        "no basis for an answer, no sampler setting gives it one.",
        source="confidence of the draft, cf. arXiv 2508.19982 (Prophet)",
        needs=(need.values("confidence"),),
        check=per_canvas(_never_confident),
    ),
    Rule(
        name="clamped-positions",
        title="Clamped positions count as certain",
        says="Positions at which a logits processor leaves one token have entropy 0 and confidence 1. The stop rule's "
        "mean counts them in, and with them the canvas looks surer than the model was.",
        remedy="Ask for a lower confidence threshold: the usual one times the share of positions that are left to the "
        "model judges these as a canvas of their own would be.",
        source="StableAndConfidentStoppingCriteria takes the mean over the canvas",
        needs=(need.PROCESSORS_RECORDED, need.values("entropy")),
        check=per_canvas(_clamped),
    ),
    Rule(
        name="draft-banned",
        title="The model's draft was banned",
        says="A logits processor took the token that the model would have put there. What is emitted is the best of "
        "what was left, or what it was clamped to.",
        remedy="If that was not meant, look at which processor bans it; if it was, read confidences there as those "
        "of the tokens that were left.",
        source="logits before and after the call's processors",
        needs=(need.PROCESSORS_RECORDED, need.left_alone("Pin")),
        check=per_canvas(_banned),
    ),
)
