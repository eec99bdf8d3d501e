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

from dgemma_viz.amounts import counted
from dgemma_viz.conformance.evidence import Array, Evidence, breach, each, first_wrong, next_rows, steps_of
from dgemma_viz.rules import need
from dgemma_viz.rules.need import Case
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Decision, Phase
from dgemma_viz.trace.model import CanvasRun

_ORDERS = {
    "order": {"confidence": "confidence", "entropy": "entropy"},
    "remasking": {"low_confidence": "confidence"},
    "alg": {"maskgit_plus": "confidence", "entropy": "entropy"},
}
"""Settings that name the order, and what their values mean."""
_NEEDS = (
    need.MASK_TOKEN,
    need.arrays("accepted", "noised"),
    need.left_alone("ForceAccept", "ForceRenoise", "ChangeParameters", *need.OF_INPUT),
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
    steps = steps_of(run)

    def tell(t: int, position: int) -> tuple[str, str, str]:
        found, expected = f"token {after[t, position]}", f"token {before[t, position]}"
        what = (
            f"{expected.capitalize()} had been unmasked before step {steps[t]}, which left {found} in its place. (A "
            "sampler that is meant to change such tokens says so by the setting 'editing_threshold', or "
            "'commits_stay' false.)"
        )
        return found, expected, what

    return first_wrong(judged, judged & (after != before), steps, tell)


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
        what = (
            f"Step {step} unmasked {counted(found, 'position')}; with {' and '.join(asked)}, and "
            f"{counted(int(masked.sum()), 'mask')} there, it should be {expected}."
        )
        return Checked(judged, breach(step, None, f"{found} unmasked", f"{expected} unmasked", what))
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
        unit = " nats" if order == "entropy" else ""
        found, expected = (f"{abs(score[t, position]):.4g}{unit}" for position in (worst, best))
        other = f"position {best}, at {expected}, was left masked"
        what = f"Position {worst} was unmasked at a {order} of {found}, but {other}."
        step, should = int(steps_of(run)[t]), f"position {best}, {order} {expected}"
        return Checked(judged, breach(step, worst, f"{order} {found}", should, what))
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
            found, expected = f"block {position // length}", f"block {first // length}"
            what = (
                f"Step {step} unmasked position {position}, in {found}, while position {first} of {expected} was still "
                "masked."
            )
            return Checked(judged, breach(step, position, found, expected, what, int(outside.sum())))
    return Checked(judged)


# -- parameters --------------------------------------------------------------------------------------------------


def _quota(case: Case, length: int, step: int) -> int | None:
    """Positions of a canvas of some length that a step is to unmask; None if that is not known."""
    given = case.settings.get("quota")
    quotas: Sequence[Any] = given if isinstance(given, list | tuple) else [given]
    if quotas and all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in quotas):
        return int(quotas[min(step, len(quotas) - 1)])
    limit, tokens = case.number("max_denoising_steps"), case.number("max_new_tokens")
    fewest = case.number("minimal_topk")
    if not need.is_block_refinement(case) or not limit or limit < 1:
        return None
    steps = int(min(limit, tokens // fewest if tokens and fewest else limit))
    each_step, rest = divmod(length, max(1, steps))
    return each_step + (min(step, steps - 1) < rest)


def _order(case: Case) -> str | None:
    """By what the surest positions are found; None if that is not known."""
    for name, meanings in _ORDERS.items():
        value = case.settings.get(name)
        if isinstance(value, str) and value in meanings:
            return meanings[value]
    return None if case.number("threshold") is None else "confidence"


def _block_length(case: Case) -> int | None:
    length = case.number("block_length")
    return None if length is None or length < 1 else int(length)


def _amount_unknown(case: Case) -> str:
    known = case.number("threshold") is not None or _quota(case, case.trace.canvas_length, 0) is not None
    return "" if known else "needs the setting 'quota' or 'threshold': how many positions a step unmasks"


def _order_unknown(case: Case) -> str:
    order = _order(case)
    if order is None:
        return (
            "needs the setting 'order' ('confidence' or 'entropy') or 'threshold': which positions are unmasked first"
        )
    return need.arrays("entropy" if order == "entropy" else "candidate_probability").unmet(case)


def _probabilities_unknown(case: Case) -> str:
    return "" if case.number("threshold") is None else need.arrays("candidate_probability").unmet(case)


_SOME_BLOCKS = need.when(
    lambda case: _block_length(case) is not None,
    "needs the setting 'block_length': positions that are unmasked before those behind them",
)
_MEANT_TO_STAY = need.when(
    lambda case: case.settings.get("commits_stay") is not False,
    "the sampler may change what it unmasked, as its setting 'commits_stay' says",
)

RULES = (
    Rule(
        "unmasked-as-many",
        "A step unmasks as many positions as its quota and its threshold ask for.",
        "LLaDA, arXiv 2502.09992, algorithm 5; Fast-dLLM, arXiv 2505.22618; diffusers BlockRefinementScheduler.step",
        (need.MASKED, *_NEEDS, need.Need(_amount_unknown), need.Need(_probabilities_unknown)),
        each(_as_many),
        "no step had a mask to unmask",
    ),
    Rule(
        "unmasked-surest",
        "The surest positions are unmasked first.",
        "LLaDA, arXiv 2502.09992, algorithm 5; diffusers BlockRefinementScheduler.step (transfer_index)",
        (need.MASKED, *_NEEDS, need.Need(_order_unknown)),
        each(_surest),
        "no step left a mask where it unmasked another",
    ),
    Rule(
        "unmasked-in-blocks",
        "Blocks are unmasked from left to right, each before the next.",
        "LLaDA, arXiv 2502.09992, section 2.4 (semi-autoregressive remasking)",
        (need.BLOCKS_OF_MASKS, *_NEEDS, _SOME_BLOCKS),
        each(_in_blocks),
        "a canvas is one block",
    ),
    Rule(
        "unmasked-stay",
        "A token once unmasked stays as it is, in what is emitted, too.",
        "MDLM, arXiv 2406.07524, section 3.2 (carry-over unmasking)",
        (
            need.MASKED,
            need.MASK_TOKEN,
            need.arrays("noised"),
            need.measured("noised"),
            _MEANT_TO_STAY,
            need.INPUT_LEFT_ALONE,
        ),
        each(_stays),
        "nothing was unmasked before the last step",
    ),
)
