"""Rules about loops of mask-token models: what they unmask for no reason, and passes that nothing depends on.

That positions are unmasked by confidence is a rule of conformance, for loops that say so. These two need no word of the
loop: one looks at a habit over blocks, the other at where the answer had ended.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.diagnosis.case import Array, CanvasCase, RunCase, SampleCase
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Phase

FEWEST_BLOCKS = 3
"""Blocks with a choice of where to begin: in fewer, a habit is not told from chance."""
FEWEST_UNSURE = 2
"""Blocks that began where the model was less sure than elsewhere: one may be a tie, or a draw."""
CLEARLY = 0.05
"""By how much another position must be surer: probabilities closer than that may change places by rounding."""
BY_CHANCE = 1e-3
"""Probability with which a loop that picks at random (LLaDA's ``remasking="random"``, Dream's ``origin``) may begin all
its blocks so."""
FEWEST_PASSES, LARGE_SHARE = 2, 0.25
"""Passes behind the end that are worth a warning: as many, in later blocks than the end's, or this share of the run in
its own block, which a loop by blocks may finish before it looks."""
MANY_PASSES = 4
"""Passes in the end's own block, of a loop of one block."""


@dataclass(frozen=True)
class _Beginning:
    """How a block was begun."""

    canvas: CanvasCase
    row: int
    block: slice
    put: Array
    masked: Array
    surer: Array
    """Positions that were left masked though surer than the block's first: bool ``(C,)``."""

    @property
    def at_start(self) -> bool:
        return bool(self.put[self.block.start])

    @property
    def share(self) -> float:
        """Of the block's masks that were unmasked."""
        return float(self.put.sum() / self.masked.sum())


def _block_start(case: RunCase) -> Iterator[Checked]:
    for sample in case.samples:
        begun, leftmost = list[_Beginning](), True
        for canvas in sample.canvases:
            found, in_order = _beginnings(canvas)
            begun += found
            leftmost &= in_order
        chance = float(np.prod([one.share for one in begun]))
        if len(begun) < FEWEST_BLOCKS or chance > BY_CHANCE:
            yield Checked(0)
            continue
        found_one = None if leftmost else _habit(begun, chance)
        yield Checked(len(begun), found_one and replace(found_one, sample=sample.sample))


def _habit(begun: list[_Beginning], chance: float) -> Finding | None:
    unsure = [one for one in begun if one.surer.any()]
    if not all(one.at_start for one in begun) or len(unsure) < FEWEST_UNSURE:
        return None
    one = unsure[0]
    start, sure = one.block.start, one.canvas.confidence[one.row]
    other = int(np.argmax(np.where(one.surer, sure, -1)))
    return Finding(
        Severity.WARNING,
        f"All {len(begun)} blocks began with their first position, {len(unsure)} of them although others were surer: "
        f"here position {start} was unmasked with a confidence of {sure[start]:.2g}, and position {other}, with "
        f"{sure[other]:.2g}, was left masked. At random this happens with a probability of {chance:.1g}.",
        canvas=one.canvas.run.canvas,
        step=int(one.canvas.run.array("step_in_canvas")[one.row]),
        positions=(start,),
        evidence={"blocks": len(begun), "against_confidence": len(unsure), "by_chance": chance},
    )


def _beginnings(canvas: CanvasCase) -> tuple[list[_Beginning], bool]:
    """How each block that left a choice was begun, and whether later steps always took the leftmost masks."""
    run, mask = canvas.run, canvas.trace.facts.mask_token_id
    noised, put = run.array("noised"), canvas.accepted
    wanted = canvas.number("block_length")
    length = int(wanted) if wanted and wanted >= 1 else run.canvas_length
    found, leftmost = list[_Beginning](), True
    for begin in range(0, run.canvas_length, length):
        block = slice(begin, min(begin + length, run.canvas_length))
        inside = np.zeros(run.canvas_length, dtype=bool)
        inside[block] = True
        first = True
        for t in range(run.n_steps):
            masked = (noised[t] == mask) & inside
            chosen = masked & put[t]
            if (
                run.array("phase")[t] != Phase.DENOISE
                or not run.decided[t]
                or not chosen.any()
                or chosen.sum() == masked.sum()
            ):
                first &= not chosen.any()
                continue
            if first and masked[begin]:
                found.append(_Beginning(canvas, t, block, chosen, masked, _surer(canvas, t, begin) & masked & ~chosen))
            elif not first:
                leftmost &= int(np.flatnonzero(chosen)[-1]) < int(np.flatnonzero(masked & ~chosen)[0])
            first = False
    return found, leftmost


def _surer(canvas: CanvasCase, t: int, start: int) -> Array:
    """Positions that a step was clearly surer of than of one of them, by all that loops go by: bool ``(C,)``."""
    sure, entropy = canvas.confidence[t].astype(float), canvas.entropy[t].astype(float)
    surer: Array = sure > sure[start] + CLEARLY
    if np.isfinite(entropy).all():
        surer &= entropy < entropy[start]
    best = canvas.run.array("top_k_probabilities")[t].astype(float)
    if best.shape[-1] > 1 and np.isfinite(best).all():
        best = np.sort(best, axis=-1)
        margin = best[:, -1] - best[:, -2]
        surer &= margin > margin[start]
    return surer


# -- behind the end ----------------------------------------------------------------------------------------------------


def _behind_end(case: RunCase) -> Iterator[Checked]:
    """A pass counts as one behind the end if it was that for every sample: passes are shared."""
    ends = [_complete_from(sample) for sample in case.samples]
    if not ends or any(end is None for end in ends):
        yield Checked(0)
        return
    trace = case.trace
    last = max(range(len(ends)), key=lambda sample: ends[sample] or 0)
    complete, sample = ends[last] or 0, case.samples[last]
    wasted = np.flatnonzero(trace.active.any(axis=1) & (np.arange(trace.n_steps) >= complete))
    canvas, position = sample.place(sample.end or 0)
    later = _in_later_blocks(case, wasted, canvas, position)
    share = len(wasted) / max(trace.n_steps, 1)
    if later < FEWEST_PASSES and (len(wasted) < MANY_PASSES or share < LARGE_SHARE):
        yield Checked(len(ends))
        return
    where = f"{later} of them in blocks behind it" if later else "all of them in its own block"
    finding = Finding(
        Severity.WARNING if later or share >= 2 * LARGE_SHARE else Severity.NOTE,
        f"The answer was complete after {counted(complete, 'decoder pass')}, up to its end "
        f"token; {len(wasted)} more ({share:.0%} of all), {where}, only unmasked what nobody reads.",
        canvas=int(trace.canvas[wasted[0]]),
        step=int(trace.step_in_canvas[wasted[0]]),
        sample=sample.sample,
        evidence={"passes": len(wasted), "share": share, "in_later_blocks": later},
    )
    yield Checked(len(ends), finding)


def _complete_from(sample: SampleCase) -> int | None:
    """First step of the trace that changes nothing up to the answer's end any more; None if it did not end."""
    if sample.end is None:
        return None
    end_canvas, end = sample.place(sample.end)
    after = 0
    for canvas in sample.canvases:
        number = canvas.run.canvas
        if number > end_canvas or canvas.run.emitted is None:
            break
        held = np.vstack([canvas.run.array("noised"), canvas.run.emitted])
        changed = held[1:] != held[:-1]
        if number == end_canvas:
            changed = changed[:, : end + 1]
        if changed.any():
            after = int(canvas.run.steps[np.flatnonzero(changed.any(axis=1))[-1]]) + 1
    return after


def _in_later_blocks(case: RunCase, steps: Array, canvas: int, position: int) -> int:
    """How many of some steps unmasked nothing in the block that a position is in."""
    trace, length = case.trace, case.number("block_length")
    behind = int((trace.canvas[steps] > canvas).sum())
    if length is None or length < 1:
        return behind
    block_end = (position // int(length) + 1) * int(length)
    same = steps[trace.canvas[steps] == canvas]
    masked = (trace.noised[same] == trace.facts.mask_token_id)[:, :, :block_end]
    return behind + int((~masked.any(axis=(1, 2))).sum())


_STAY = need.when(
    lambda case: not case.number("editing_threshold") and case.settings.get("commits_stay") is not False,
    "the sampler may change what it unmasked: an end may move until the last step",
)

RULES = (
    Rule(
        name="block-start-first",
        title="Block start always first",
        says="Each block begins with its first position, also where others were surer: what is unmasked there was not "
        "chosen, and the rest of the block is built on it.",
        remedy="Look at the pass that fills or refreshes the cache: it should unmask by the same rule as the others, "
        "or nothing.",
        source="Fast-dLLM#61 (Dream's cache update unmasks the token at the block's start)",
        needs=(
            need.MASKED,
            need.MASK_TOKEN,
            need.arrays("noised", "accepted"),
            need.values("confidence"),
            need.left_alone("ForceAccept", "ForceRenoise", *need.OF_INPUT),
        ),
        check=_block_start,
        idle="too few blocks left a choice of where to begin, or too short ones, to tell a habit from chance "
        "('block_length' in the settings says where they are, if a canvas holds several)",
    ),
    Rule(
        name="work-behind-the-end",
        title="Work behind the end",
        says="The answer had ended, all before its end token was unmasked, and the loop went on with the masks behind "
        "it: decoder passes that change nothing in the answer.",
        remedy="Stop when an end token stands with no mask before it, at the latest behind its block; or ask for "
        "fewer tokens.",
        source="Fast-dLLM#10, Streaming-dLLM#1 (masks behind the end are unmasked one by one)",
        needs=(
            need.MASKED,
            need.MASK_TOKEN,
            need.arrays("noised"),
            need.EMITTED,
            need.COMPLETE,
            need.END_TOKENS,
            _STAY,
        ),
        check=_behind_end,
        idle="some sample did not end",
    ),
)
