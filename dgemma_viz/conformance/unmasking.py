"""Mask-token samplers: what was unmasked stays, and as many positions are unmasked as asked for, and the right ones.

What every such sampler keeps, unless it says otherwise, is that a token once unmasked stays (carry-over unmasking of
MDLM, arXiv 2406.07524, section 3.2). How many positions a step unmasks, and which, differs from loop to loop, so it is
judged by the parameters that the trace's settings name:

=====================  ================================================================================================
setting                meaning
=====================  ================================================================================================
``quota``              positions that a step unmasks, as far as there are masks; a list: of each step of a canvas
``threshold``          all positions are unmasked whose candidate is more probable; fewer than the quota (1 where there
                       is none): the surest up to the quota (Fast-dLLM, arXiv 2505.22618; diffusers' LLaDA2Pipeline)
``order``              ``"confidence"`` (probability of the candidate) or ``"entropy"``: by what positions are the
                       surest. LLaDA's ``remasking="low_confidence"`` and Dream's ``alg`` say the same
``block_length``       a canvas is unmasked in blocks of so many positions, from left to right
``editing_threshold``  more than 0: tokens may be replaced later
``commits_stay``       false: unmasked tokens may change or be masked again, however the sampler likes
=====================  ================================================================================================

diffusers' scheduler spreads a canvas evenly over its steps: its quota follows from ``max_denoising_steps``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, first_place, next_rows, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.decision import Decision, Phase
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

_ORDERS = {
    "order": {"confidence": "confidence", "entropy": "entropy"},
    "remasking": {"low_confidence": "confidence"},
    "alg": {"maskgit_plus": "confidence", "entropy": "entropy"},
}
"""Settings that name the order, and what their values mean."""
_NEEDS = (
    needs.mask_token,
    needs.arrays("accepted", "noised"),
    needs.left_alone("ForceAccept", "ForceRenoise", "ChangeParameters", *needs.READ),
)


def _stays(evidence: Evidence, run: CanvasRun) -> Checked:
    """Each step against what came after it: the next step's canvas, or what was emitted."""
    rows, following = next_rows(evidence, run)
    after = np.full((run.n_steps, run.canvas_length), -1)
    after[rows] = run.trace.noised[following, run.sample, : run.canvas_length]
    judged = np.zeros(after.shape, dtype=bool)
    judged[rows] = True
    if run.n_steps and run.emitted is not None and run.decided[-1]:
        after[-1], judged[-1] = run.emitted, run.in_output & ~evidence.padded(run)
    before = run.array("noised")
    judged &= before != evidence.trace.facts.mask_token_id
    if evidence.number("editing_threshold"):
        judged &= run.array("decision") != Decision.EDITED
    wrong = judged & (after != before)
    if not wrong.any():
        return Checked(int(judged.sum()))
    t, position = first_place(wrong)
    step, found, expected = int(steps_of(run)[t]), int(after[t, position]), int(before[t, position])
    return Checked(
        int(judged.sum()),
        Breach(
            step,
            position,
            f"token {found}",
            f"token {expected}",
            f"Token {expected} had been unmasked before step {step}, which left token {found} in its place. (A sampler "
            "that is meant to change such tokens says so by the setting 'editing_threshold', or 'commits_stay' false.)",
            int(wrong.sum()),
        ),
    )


def _steps(evidence: Evidence, run: CanvasRun) -> Iterator[tuple[int, Array, Array, Array]]:
    """Row, positions that may be unmasked, that were, and that drew the mask, of each step that had masks."""
    mask = evidence.trace.facts.mask_token_id
    noised, put = run.array("noised"), run.array("accepted")
    phases, length = run.array("phase"), _block_length(evidence)
    drew_mask = run.array("candidate") == mask
    for t in range(run.n_steps):
        masked = noised[t] == mask
        if phases[t] != Phase.DENOISE or not run.decided[t] or not masked.any():
            continue
        first = int(np.argmax(masked)) if length else 0
        block = np.arange(len(masked)) // (length or len(masked)) == first // (length or len(masked))
        yield t, masked & block, masked & put[t], masked & drew_mask[t]


def _as_many(evidence: Evidence, run: CanvasRun) -> Checked:
    threshold, slack = evidence.number("threshold"), evidence.tolerances.probability
    p, judged = run.array("candidate_probability").astype(float), 0
    for t, masked, put, drew_mask in _steps(evidence, run):
        step = int(steps_of(run)[t])
        quota = _quota(evidence, run.canvas_length, step)
        if quota is None and threshold is None:
            continue
        judged += 1
        least = most = min(1 if quota is None else quota, int(masked.sum()))
        if threshold is not None:
            least = max(least, int((masked & (p[t] > threshold + slack)).sum()))
            most = max(most, int((masked & (p[t] > threshold - slack)).sum()))
        found = int(put.sum())
        if found <= most and found + int(drew_mask.sum()) >= least:
            continue
        expected = f"{least}" if least == most else f"{least} to {most}"
        asked = [] if quota is None else [f"a quota of {quota}"]
        asked += [] if threshold is None else [f"a threshold of {threshold:g}"]
        return Checked(
            judged,
            Breach(
                step,
                None,
                f"{found} unmasked",
                f"{expected} unmasked",
                f"Step {step} unmasked {found} positions; with {' and '.join(asked)}, and {int(masked.sum())} masks "
                f"there, it should be {expected}.",
            ),
        )
    return Checked(judged)


def _surest(evidence: Evidence, run: CanvasRun) -> Checked:
    order = _order(evidence)
    if order == "entropy":
        score, slack = -run.array("entropy").astype(float), evidence.tolerances.entropy
        slack_of_score = np.abs(score) * evidence.tolerances.relative + slack
    else:
        score = run.array("candidate_probability").astype(float)
        slack_of_score = np.full(score.shape, evidence.tolerances.probability)
    judged = 0
    for t, masked, put, drew_mask in _steps(evidence, run):
        left = masked & ~put & ~drew_mask
        judged += int(put.any() and left.any())
        if not put.any() or not left.any():
            continue
        worst = int(np.flatnonzero(put)[np.argmin(score[t][put])])
        best = int(np.flatnonzero(left)[np.argmax(score[t][left])])
        if score[t, worst] + slack_of_score[t, worst] >= score[t, best] - slack_of_score[t, best]:
            continue
        found, expected = abs(score[t, worst]), abs(score[t, best])
        unit = " nats" if order == "entropy" else ""
        return Checked(
            judged,
            Breach(
                int(steps_of(run)[t]),
                worst,
                f"{order} {found:.4g}{unit}",
                f"position {best}, {order} {expected:.4g}{unit}",
                f"Position {worst} was unmasked at a {order} of {found:.4g}{unit}, but position {best}, at "
                f"{expected:.4g}{unit}, was left masked.",
            ),
        )
    return Checked(judged)


def _in_blocks(evidence: Evidence, run: CanvasRun) -> Checked:
    length, judged = _block_length(evidence), 0
    if length is None or length >= run.canvas_length:
        return Checked(0)
    for t, masked, put, _ in _steps(evidence, run):
        judged += int(put.sum())
        outside = put & ~masked
        if outside.any():
            step, position, first = int(steps_of(run)[t]), int(np.argmax(outside)), int(np.argmax(masked))
            return Checked(
                judged,
                Breach(
                    step,
                    position,
                    f"block {position // length}",
                    f"block {first // length}",
                    f"Step {step} unmasked position {position}, in block {position // length}, while position {first} "
                    f"of block {first // length} was still masked.",
                    int(outside.sum()),
                ),
            )
    return Checked(judged)


# -- parameters --------------------------------------------------------------------------------------------------


def _quota(evidence: Evidence, length: int, step: int) -> int | None:
    """Positions of a canvas of some length that a step is to unmask; None if that is not known."""
    given = evidence.settings.get("quota")
    quotas: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    if quotas and all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in quotas):
        return int(quotas[min(step, len(quotas) - 1)])
    limit, tokens = evidence.number("max_denoising_steps"), evidence.number("max_new_tokens")
    fewest = evidence.number("minimal_topk")
    if not concerns.block_refinement(evidence) or not limit or limit < 1:
        return None
    steps = int(min(limit, tokens // fewest if tokens and fewest else limit))
    each_step, rest = divmod(length, max(1, steps))
    return each_step + (min(step, steps - 1) < rest)


def _order(evidence: Evidence) -> str | None:
    """By what the surest positions are found; None if that is not known."""
    for name, meanings in _ORDERS.items():
        value = evidence.settings.get(name)
        if isinstance(value, str) and value in meanings:
            return meanings[value]
    return None if evidence.number("threshold") is None else "confidence"


def _block_length(evidence: Evidence) -> int | None:
    length = evidence.number("block_length")
    return None if length is None or length < 1 else int(length)


def _some_amount(evidence: Evidence) -> str:
    known = evidence.number("threshold") is not None or _quota(evidence, evidence.trace.canvas_length, 0) is not None
    return "" if known else "needs the setting 'quota' or 'threshold': how many positions a step unmasks"


def _some_order(evidence: Evidence) -> str:
    order = _order(evidence)
    if order is None:
        return (
            "needs the setting 'order' ('confidence' or 'entropy') or 'threshold': which positions are unmasked first"
        )
    return needs.arrays("entropy" if order == "entropy" else "candidate_probability")(evidence)


def _probabilities(evidence: Evidence) -> str:
    return "" if evidence.number("threshold") is None else needs.arrays("candidate_probability")(evidence)


def _some_blocks(evidence: Evidence) -> str:
    known = _block_length(evidence) is not None
    return "" if known else "needs the setting 'block_length': positions that are unmasked before those behind them"


def _meant_to_stay(evidence: Evidence) -> str:
    free = evidence.settings.get("commits_stay") is False
    return "the sampler may change what it unmasked, as its setting 'commits_stay' says" if free else ""


_masked = concerns.kinds(SamplerKind.MASKED)


def _masked_canvas_of_blocks(evidence: Evidence) -> bool:
    """Mask-token samplers but diffusers', whose canvas is one block."""
    return _masked(evidence) and not concerns.diffusers(evidence)


RULES = (
    Rule(
        "unmasked-as-many",
        "A step unmasks as many positions as its quota and its threshold ask for.",
        "LLaDA, arXiv 2502.09992, algorithm 5; Fast-dLLM, arXiv 2505.22618; diffusers BlockRefinementScheduler.step",
        (*_NEEDS, _some_amount, _probabilities),
        each(_as_many),
        "no step had a mask to unmask",
        _masked,
    ),
    Rule(
        "unmasked-surest",
        "The surest positions are unmasked first.",
        "LLaDA, arXiv 2502.09992, algorithm 5; diffusers BlockRefinementScheduler.step (transfer_index)",
        (*_NEEDS, _some_order),
        each(_surest),
        "no step left a mask where it unmasked another",
        _masked,
    ),
    Rule(
        "unmasked-in-blocks",
        "Blocks are unmasked from left to right, each before the next.",
        "LLaDA, arXiv 2502.09992, section 2.4 (semi-autoregressive remasking)",
        (*_NEEDS, _some_blocks),
        each(_in_blocks),
        "a canvas is one block",
        _masked_canvas_of_blocks,
    ),
    Rule(
        "unmasked-stay",
        "A token once unmasked stays as it is, in what is emitted, too.",
        "MDLM, arXiv 2406.07524, section 3.2 (carry-over unmasking)",
        (needs.mask_token, needs.arrays("noised"), _meant_to_stay, needs.left_alone(*needs.READ)),
        each(_stays),
        "nothing was unmasked before the last step",
        _masked,
    ),
)
