"""What became of each rule: whether it holds, in how many traces it was checked, and what a statistical one saw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What a check says of a rule, in the words that reports use."""

    PASSED = "passed"
    """It was checked, and holds."""
    BROKEN = "broken"
    """It does not hold somewhere."""
    UNDECIDED = "could not be told"
    """A statistical rule that nothing speaks against, but that had too little to see for that to mean anything."""
    NOT_CHECKED = "not checked"
    """It lacks something, or found nothing to judge."""
    NOT_APPLICABLE = "not applicable"
    """It is a rule of other samplers."""


@dataclass(frozen=True)
class Tally:
    """What one question of a statistical rule saw, pooled over traces.

    Attributes
    ----------
    what
        What is counted, e.g. ``"candidates equal their draft"``.
    draws, hits, expected
        How many there were (in a broken rule: until the evidence sufficed), how many came out as the question asks, and
        how many should have by chance.
    enough_after
        Number of draws after which the rule would have been broken, had all come out so; None if not by the end.
    more_needed
        Draws like these that are lacking to that; 0 where it was reached, infinite where no number would do.
    traces
        Traces that were pooled, without those that repeat another one's draws.
    reason
        Why it cannot be told; empty where it can.
    """

    what: str
    draws: int
    hits: int
    expected: float
    enough_after: int | None
    more_needed: float
    traces: int
    reason: str = ""

    @property
    def seen(self) -> str:
        """The counts in words."""
        return f"{self.hits:,} of {self.draws:,} {self.what} (by chance about {self.expected:,.4g})"


@dataclass(frozen=True)
class Outcome:
    """What a check says of one rule.

    Attributes
    ----------
    rule
        Its name.
    verdict
        What became of it.
    traces
        In how many traces something was judged.
    judged
        How many things (positions, steps or draws) were judged, over all traces.
    reason
        Why it could not be told or was not checked; where it was checked in some traces only, why not in the others.
    tallies
        Of a statistical rule: what each of its questions saw.
    """

    rule: str
    verdict: Verdict
    traces: int = 0
    judged: int = 0
    reason: str = ""
    tallies: tuple[Tally, ...] = ()

    @property
    def leading(self) -> Tally | None:
        """Of several tallies the one that lacks most."""
        return max(self.tallies, key=lambda tally: tally.more_needed, default=None)


def lacking_words(bets_more: float, draws: int, traces: int) -> str:
    """How much more would tell, in draws and in traces like these."""
    if not math.isfinite(bets_more):
        return "no number of draws as sure as these would"
    more_traces = math.ceil(bets_more * traces / draws)
    runs = f"{more_traces:,} more trace{'' if more_traces == 1 else 's'} like {'this' if traces == 1 else 'these'}"
    return f"about {bets_more:,.0f} more like these would tell ({runs})"
