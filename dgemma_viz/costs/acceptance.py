"""How many drafted tokens a verification keeps, and the two kinds of rates that are published for it.

A draft counts only if all drafts before it were accepted. A rate is either **of all drafts** (unconditional: accepted
at a position / drafts; vLLM's "per-position acceptance rate" and "average draft acceptance rate", the latter over all
positions) or **given the drafts before it** (conditional: the alpha of Leviathan et al., arXiv 2211.17192). The two
give different speeds from the same number: four drafts at 0.31 bring 2.24 tokens a pass of the first kind and 1.45 of
the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range


@dataclass(frozen=True)
class Acceptance:
    """Which share of all drafts is accepted, position by position.

    Attributes
    ----------
    of_all
        Accepted at a position / drafts: unconditional, so it never rises from one position to the next.

    Raises
    ------
    SettingError
        On construction: no rate, one that is no fraction, or rates that rise: those are conditional.
    """

    of_all: tuple[float, ...]

    def __post_init__(self) -> None:
        rates = tuple(checked_range("an acceptance", rate, 0, 1) for rate in self.of_all)
        object.__setattr__(self, "of_all", rates)
        checked_range("drafted tokens", len(rates), 1, whole=True)
        for before, after in pairwise(rates):
            if after > before:
                raise SettingError(
                    f"of all drafts, no more can be accepted at a position ({after:g}) than at the one before "
                    f"({before:g}): rates that hold given the drafts before go through Acceptance.given_those_before()"
                )

    @classmethod
    def given_those_before(cls, rates: Iterable[float]) -> Acceptance:
        """From conditional rates: each draft's, given that all before it were accepted."""
        found, reached = [], 1.0
        for rate in rates:
            reached *= checked_range("an acceptance", rate, 0, 1)
            found.append(reached)
        return cls(tuple(found))

    @classmethod
    def constant(cls, rate: float, drafted: int) -> Acceptance:
        """Every draft is accepted with the same probability, given those before it: ``alpha ** j``."""
        return cls.given_those_before([rate] * checked_range("drafted tokens", drafted, 1, whole=True))

    @classmethod
    def average(cls, share: float, drafted: int) -> Acceptance:
        """From the share of all drafted tokens that was accepted, all positions together.

        The positions' own rates are not known then; each gets the average, which has the same sum.
        """
        return cls((share,) * checked_range("drafted tokens", drafted, 1, whole=True))

    @property
    def drafted(self) -> int:
        """Tokens drafted for each verification."""
        return len(self.of_all)

    @property
    def tokens_a_pass(self) -> float:
        """Written by one verification: the accepted drafts, and the one token that the pass itself brings."""
        return 1 + sum(self.of_all)


def known_acceptance(value: Any) -> Acceptance:
    """The value, if it is an :class:`Acceptance`.

    Raises
    ------
    SettingError
        It is bare numbers, of which nobody knows whether they hold for all drafts.
    """
    if isinstance(value, Acceptance):
        return value
    raise SettingError(
        "say what the rates of acceptance are: Acceptance(rates) for shares of all drafts, as vLLM prints them, or "
        "Acceptance.given_those_before(rates)"
    )


GB10 = Acceptance((0.844, 0.599, 0.385, 0.271))
"""By position, of all drafts: a forum post on a GB10 (August 2026), printed by vLLM, which divides by all drafts
(``vllm/v1/spec_decode/metrics.py``)."""
