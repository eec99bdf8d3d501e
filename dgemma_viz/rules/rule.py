"""What a rule is: data and one check.

A check gets a :class:`~dgemma_viz.rules.need.Case` and goes over it as a whole, sample by sample or canvas by canvas:
for each it says how much was judged, and the first place that is wrong. Two kinds of checks get all cases together: one
that holds them against each other (:class:`Across`), and a statistical one (:class:`Pooled`). Thresholds are constants
beside the check, each with its reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from dgemma_viz.rules.finding import Finding
from dgemma_viz.rules.need import Case, Need

C = TypeVar("C", bound=Case)


@dataclass(frozen=True)
class Checked:
    """What a check says of a run, a sample or a canvas: how many things were judged, and what it found there."""

    judged: int
    finding: Finding | None = None


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
        """The counts as a phrase, and from how many draws on silence means something."""
        told = f"{self.hits:,} of {self.draws:,} {self.what} (by chance about {self.expected:,.4g})"
        if self.enough_after is None:
            return told
        return f"{told}; {self.enough_after:,} would have been enough to tell, had all come out so"


class Across(ABC, Generic[C]):
    """A check that holds cases against each other, such as a prompt alone against the same prompt in a batch."""

    @abstractmethod
    def judge(self, cases: Sequence[tuple[int, C]]) -> Iterable[tuple[int, Checked]]:
        """What is said of which case.

        Parameters
        ----------
        cases
            Index and case of each that meets the rule's needs, in their order.
        """


class Pooled(ABC, Generic[C]):
    """A statistical check of all cases as a whole."""

    @abstractmethod
    def judge(self, cases: Sequence[tuple[int, C]], risk: float) -> tuple[tuple[Tally, ...], list[Finding]]:
        """Judge the cases.

        Parameters
        ----------
        cases
            Index and case of each, in the order in which they are pooled; without repeated draws.
        risk
            Probability with which conforming runs may be accused.

        Returns
        -------
        tuple
            What it saw, and at most one finding for each case.
        """


@dataclass(frozen=True)
class Rule(Generic[C]):
    """A rule.

    Attributes
    ----------
    name
        Identifier, e.g. ``"stop-rule"``.
    says
        The rule in a sentence; where a rule looks for a fault, what that is and why it matters.
    source
        Where it is written: upstream function, published bug, paper.
    needs
        What must be known; the first that is lacking is given as the reason why the rule was not applied.
    check
        Looks at a case, or at all of them.
    idle
        Why nothing was judged although all needs were met.
    title
        What a table shows in place of the name.
    remedy
        What to try.
    """

    name: str
    says: str
    source: str
    needs: tuple[Need, ...]
    check: Callable[[C], Iterable[Checked]] | Across[C] | Pooled[C]
    idle: str = "no step ran"
    title: str = ""
    remedy: str = ""

    def unmet(self, case: Case) -> tuple[Need, str] | None:
        """The first need that a case does not meet, and why; None if it meets all."""
        return next(((need, reason) for need in self.needs if (reason := need.unmet(case))), None)
