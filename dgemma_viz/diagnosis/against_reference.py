"""Rules that need a right answer: what is wrong, whether it was ever doubted, whether it had been right before."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.diagnosis.case import Array, CanvasCase, SampleCase, per_canvas, per_sample
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, places, quote
from dgemma_viz.rules.rule import Rule

MEANT = 0.5
"""Confidence from which a right draft counts as found: below it, the right token may have been a passing guess."""


def _wrong_answer(case: SampleCase) -> Finding | None:
    judgement = case.judgement
    if judgement is None or judgement.answer_right is not False:
        return None
    wrong = np.argwhere(judgement.wrong)
    canvas, position = (int(index) for index in wrong[0]) if len(wrong) else (None, None)
    should = "" if judgement.reference is None else f" in place of {quote([judgement.reference])}"
    return Finding(
        Severity.ERROR,
        f"The answer is {quote([judgement.output])}{should}: {counted(len(wrong), 'token')} of "
        f"{int(judgement.judged.sum())} wrong."
        if judgement.reference is not None
        else f"The reference calls the answer {quote([judgement.output])} wrong.",
        canvas=canvas,
        step=None if canvas is None else case.settled_at(canvas, position or 0),
        positions=tuple(np.flatnonzero(judgement.wrong[canvas]).tolist()) if canvas is not None else (),
        evidence={"wrong": len(wrong), "judged": int(judgement.judged.sum()), "missing": len(judgement.missing)},
    )


def _stuck(case: CanvasCase) -> Finding | None:
    wrong = _wrong_positions(case)
    emitted = case.run.emitted
    if emitted is None or not len(wrong):
        return None
    taken = case.accepted[:, wrong] & (case.candidate[:, wrong] == emitted[wrong])
    first = np.where(taken.any(axis=0), taken.argmax(axis=0), case.last_step)
    later = np.arange(case.run.n_steps)[:, None] > first
    kept = ((case.draft[:, wrong] == emitted[wrong]) | ~later | ~case.open[:, wrong]).all(axis=0)
    stuck = kept & (first < case.last_step) & ~case.clamped[first, wrong]
    if not stuck.any():
        return None
    positions, steps = wrong[stuck], first[stuck]
    step = int(steps.min())
    sure = case.confidence[steps, positions]
    return Finding(
        Severity.ERROR,
        f"{counted(len(positions), 'wrong token')} ({places(positions.tolist())}) stayed from the step of acceptance "
        f"to the end, the first one for {counted(case.last_step - step, 'more step')}; confidence when accepted: "
        f"{_range(sure)}.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={"tokens": len(positions), "lowest_confidence": float(sure.min()), "highest": float(sure.max())},
    )


def _lost(case: CanvasCase) -> Finding | None:
    wrong, judgement = _wrong_positions(case), case.judgement
    if judgement is None or not len(wrong):
        return None
    right = judgement.right_drafts(case.run)[:, wrong] & (case.open & ~case.clamped)[:, wrong]
    if not right.any():
        return None
    had = right.any(axis=0)
    positions = wrong[had]
    lost_at = case.last_step - right[::-1, had].argmax(axis=0) + 1
    best = np.where(right, case.confidence[:, wrong], 0).max(axis=0)[had]
    step = int(lost_at.min())
    return Finding(
        Severity.ERROR if best.max() >= MEANT else Severity.NOTE,
        f"The right token was the draft at {places(positions.tolist())} in up to "
        f"{counted(int(right.sum(axis=0).max()), 'step')} and was lost again, first in step {step}; highest confidence "
        f"of a right draft: {best.max():.2g}.",
        step=min(step, case.last_step),
        positions=tuple(positions.tolist()),
        evidence={"positions": len(positions), "best_confidence": float(best.max())},
    )


def _wrong_positions(case: CanvasCase) -> Array:
    judgement = case.judgement
    if judgement is None or case.run.canvas >= len(judgement.wrong):
        return np.array([], dtype=int)
    return np.flatnonzero(judgement.wrong[case.run.canvas])


def _range(values: Array) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.2g}" if len(values) == 1 else f"{low:.2g} to {high:.2g}"


RULES = (
    Rule(
        name="wrong-answer",
        title="Wrong answer",
        says="The output is not the right answer. That need not be the sampler's fault: look at the other findings.",
        remedy="Run other seeds: where they agree on the wrong answer, the model does not know better; where they "
        "differ, the sampler decides.",
        source="reference given by the caller",
        needs=(need.REFERENCE, need.EMITTED),
        check=per_sample(_wrong_answer),
    ),
    Rule(
        name="accepted-wrong-and-stuck",
        title="Accepted wrong, and stuck",
        says="A wrong token was accepted and from then on read as context, which confirmed it: the draft never left "
        "it, or the sampler no longer asked.",
        remedy="Lower the entropy bound or raise the temperatures of early steps, so that less is accepted before the "
        "context is there; compare with another seed.",
        source="error localisation, arXiv 2512.15596 (CDLM); TraceLock, arXiv 2605.24697",
        needs=(need.REFERENCE, need.RIGHT_ANSWER, need.EMITTED, need.REDRAFTS, need.measured("draft")),
        check=per_canvas(_stuck),
    ),
    Rule(
        name="right-then-lost",
        title="Right, then lost",
        says="A position's draft was right in an earlier step and is wrong in the output.",
        remedy="Look at what changed around it in the step that lost it. Stopping earlier, or voting over the steps "
        "(arXiv 2508.09138), would have kept it.",
        source="EverPass and temporal voting, arXiv 2508.09138; early answers, arXiv 2508.19982",
        needs=(need.REFERENCE, need.RIGHT_ANSWER, need.EMITTED, need.REDRAFTS, need.measured("draft")),
        check=per_canvas(_lost),
    ),
)
