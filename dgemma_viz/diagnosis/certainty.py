"""Rules about drafts that never settle: going back and forth, or never sure."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.positions import returns
from dgemma_viz.diagnosis.case import CanvasCase
from dgemma_viz.diagnosis.finding import Severity
from dgemma_viz.diagnosis.needs import CONFIDENCES, RE_READ
from dgemma_viz.diagnosis.quoting import count, places, quote
from dgemma_viz.diagnosis.rule import CanvasRule, Seen

RETURNS, NOTICEABLE_RETURNS = 3, 2
"""Times that a position's draft came back to a token which it had given up. Changing one's mind is how the model
repairs errors; coming back again and again is not. Of 2000 runs of the bundled model with default settings 85 had a
position with three or more returns, and four in five of these gave a wrong answer (one in twelve of all runs). The
others are 1 % of the runs with a right answer, and took up to 43 steps where 2 or 3 are usual."""
MORE_LIKELY_WRONG = 0.5
"""Confidence below which a draft is, by the model's own account, more likely wrong than right."""


def _oscillation(case: CanvasCase) -> Seen | None:
    returned = returns(case.run)
    times = returned.sum(axis=0)
    positions = np.flatnonzero(times >= NOTICEABLE_RETURNS)
    if not len(positions):
        return None
    worst = int(times.argmax())
    step = int(np.flatnonzero(returned[:, worst])[0])
    back, given_up = case.texts(case.draft[[step, step - 1], worst])
    return Seen(
        Severity.WARNING if times[worst] >= RETURNS else Severity.NOTE,
        f"The draft of {places(positions.tolist())} came back to a token that it had given up; position {worst} did so "
        f"{count(int(times[worst]), 'time')} in {case.run.n_steps} steps, first to {quote([back])} from "
        f"{quote([given_up])}.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={
            "most_returns": int(times[worst]),
            "positions": len(positions),
            "flips": int(case.flips[:, positions].sum()),
        },
    )


def _never_confident(case: CanvasCase) -> Seen | None:
    measured = np.isfinite(case.confidence)
    asked = case.open & ~case.clamped
    best = np.where(measured & asked, case.confidence, 0).max(axis=0)
    judged = case.answer & ~case.given & asked.any(axis=0) & (measured | ~asked).all(axis=0)
    positions = np.flatnonzero(judged & (best < MORE_LIKELY_WRONG))
    if not len(positions):
        return None
    lowest, steps = float(best[positions].min()), int(asked[:, positions].sum(axis=0).max())
    return Seen(
        Severity.WARNING,
        f"{len(positions)} of the answer's {count(int(case.answer.sum()), 'draft')} ({places(positions.tolist())}) "
        f"never reached a confidence of {MORE_LIKELY_WRONG} in {count(steps, 'step')}; the least sure one "
        f"stayed at or below {lowest:.2g}.",
        step=case.last_step,
        positions=tuple(positions.tolist()),
        evidence={"positions": len(positions), "lowest_best_confidence": lowest},
    )


RULES = (
    CanvasRule(
        name="oscillation",
        title="Oscillation",
        means="A position's draft goes back and forth between tokens: what the model thinks depends on the random "
        "tokens around it, and what is emitted on the step at which it happens to stop.",
        remedy="Look at which neighbours change with it. Lower the temperatures, or vote over the steps (arXiv "
        "2508.09138).",
        source="temporal oscillation, arXiv 2508.09138",
        needs=(RE_READ,),
        check=_oscillation,
    ),
    CanvasRule(
        name="never-confident",
        title="Never confident",
        means="A position never had a draft that the model held for more likely right than wrong.",
        remedy="Check the prompt and the temperatures (the confidence is that after temperature); where the model has "
        "no basis for an answer, no sampler setting gives it one.",
        source="confidence of the draft, cf. arXiv 2508.19982 (Prophet)",
        needs=(CONFIDENCES,),
        check=_never_confident,
    ),
)
