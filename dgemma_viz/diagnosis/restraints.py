"""Rules about what was not left to the model: positions that were clamped, and drafts that were banned."""

from __future__ import annotations

import numpy as np

from dgemma_viz.analysis.restraints import banned_drafts
from dgemma_viz.diagnosis.case import CanvasCase
from dgemma_viz.diagnosis.finding import Severity
from dgemma_viz.diagnosis.needs import ENTROPIES, NOT_PINNED, RULED_OUT
from dgemma_viz.diagnosis.quoting import count, places, quote
from dgemma_viz.diagnosis.rule import CanvasRule, Seen

MOST = 0.5
"""Share of clamped positions from which on numbers of the whole canvas say more of them than of the model."""


def _clamped(case: CanvasCase) -> Seen | None:
    clamped = case.clamped[-1]
    number, free = int(clamped.sum()), case.last_free_entropy
    if not number:
        return None
    mean, threshold = float(case.entropy[-1].mean(dtype=float)), case.setting("confidence_threshold")
    only_so = case.stopped_by_rule and threshold is not None and mean < threshold <= free
    if not only_so and number < MOST * case.run.canvas_length:
        return None
    stopped = f", so the stop rule was met below {threshold}" if only_so else ""
    return Seen(
        Severity.WARNING if only_so else Severity.NOTE,
        f"{number} of {count(case.run.canvas_length, 'position')} had one token left in the last step: over all, the "
        f"mean entropy was {mean:.3g} nats{stopped}; over the others it was {free:.3g}.",
        step=case.last_step,
        positions=tuple(np.flatnonzero(clamped).tolist()),
        evidence={"clamped": number, "mean_entropy": mean, "mean_entropy_of_free": free},
    )


def _banned(case: CanvasCase) -> Seen | None:
    lost = banned_drafts(case.run) & case.answer
    positions = np.flatnonzero(lost.any(axis=0))
    if not len(positions):
        return None
    step = int(np.flatnonzero(lost.any(axis=1))[-1])
    first = np.flatnonzero(lost[step])[0]
    wanted, instead = case.texts(np.array([case.run.array("banned_draft")[step, first], case.draft[step, first]]))
    to_the_end, alone = int(lost[-1].sum()), int((lost & case.clamped).any(axis=0).sum())
    return Seen(
        Severity.NOTE,
        f"The model's own draft was ruled out at {places(positions.tolist())}, to the last step at "
        f"{to_the_end or 'none'} of them: in step {step} it was {quote([wanted])}, where {quote([instead])} was left. "
        f"One token alone was left at {alone or 'none'} of them.",
        step=step,
        positions=tuple(positions.tolist()),
        evidence={"positions": len(positions), "in_last_step": to_the_end, "clamped": alone},
    )


RULES = (
    CanvasRule(
        name="clamped-positions",
        title="Clamped positions count as certain",
        means="Positions at which a logits processor leaves one token have entropy 0 and confidence 1. The stop rule's "
        "mean counts them in, and with them the canvas looks surer than the model was.",
        remedy="Ask for a lower confidence threshold: the usual one times the share of positions that are left to the "
        "model judges these as a canvas of their own would be.",
        source="StableAndConfidentStoppingCriteria takes the mean over the canvas",
        needs=(RULED_OUT, ENTROPIES),
        check=_clamped,
    ),
    CanvasRule(
        name="draft-banned",
        title="The model's draft was banned",
        means="A logits processor took the token that the model would have put there. What is emitted is the best of "
        "what was left, or what it was clamped to.",
        remedy="If that was not meant, look at which processor bans it; if it was, read confidences there as those "
        "of the tokens that were left.",
        source="logits before and after the call's processors",
        needs=(RULED_OUT, NOT_PINNED),
        check=_banned,
    ),
)
