"""The rule about text that goes round in circles."""

from __future__ import annotations

import numpy as np

from dgemma_viz.amounts import counted
from dgemma_viz.diagnosis.case import Array, SampleCase, per_sample
from dgemma_viz.rules import need
from dgemma_viz.rules.finding import Finding, Severity, quote
from dgemma_viz.rules.rule import Rule

LOOP_LENGTH, LOOP_TURNS = 24, 4
"""Tokens that a repeated stretch must cover, and times it must occur. Rows of a table or a line of dashes stay below;
the bundled tasks repeat at most ten equal digits."""
LONGEST_PERIOD = 256
"""Longest stretch, in tokens, whose repetition is looked for: one canvas of the released model."""


def _loop(case: SampleCase) -> Finding | None:
    ids = case.answer
    covered, period, start = longest_loop(ids)
    if not covered:
        return None
    canvas, position = case.place(start)
    unit = [case.trace.token_text(token) for token in ids[start : start + period]]
    return Finding(
        Severity.WARNING,
        f"{quote(unit)} is repeated {covered // period} times: {counted(covered, 'token')} of {len(ids)}.",
        canvas=canvas,
        step=case.settled_at(canvas, position),
        positions=tuple(range(position, min(position + covered, int(case.trace.canvas_lengths[canvas])))),
        evidence={"period": period, "turns": covered // period, "tokens": covered},
    )


def longest_loop(ids: Array) -> tuple[int, int, int]:
    """Tokens covered, period and start of the longest repetition that is long enough to be a loop; zeros if none.

    Of equally long ones the shortest period: a loop of period 2 is one of period 4 as well.

    Parameters
    ----------
    ids
        Token ids ``(N,)``.
    """
    best = (0, 0, 0)
    for period in range(1, min(LONGEST_PERIOD, len(ids) // LOOP_TURNS) + 1):
        start, length = _longest_run(ids[period:] == ids[:-period])
        covered = length + period if length else 0
        if covered >= max(LOOP_LENGTH, LOOP_TURNS * period) and covered > best[0]:
            best = (covered, period, start)
    return best


def _longest_run(flags: Array) -> tuple[int, int]:
    """Start and length of the longest run of true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    if not len(edges):
        return 0, 0
    starts, lengths = edges[::2], edges[1::2] - edges[::2]
    longest = int(lengths.argmax())
    return int(starts[longest]), int(lengths[longest])


RULES = (
    Rule(
        name="repetition-loop",
        title="Repetition loop",
        says="The output says the same thing over and over, also where it is only line ends or spaces.",
        remedy="Look at the first step at which the repeated tokens were accepted. A lower entropy bound accepts fewer "
        "equal tokens together; a repetition penalty as logits processor forbids them.",
        source="LLaDA#59, LLaDA#137, Dream#51 (floods of equal tokens)",
        needs=(need.EMITTED,),
        check=per_sample(_loop),
    ),
)
