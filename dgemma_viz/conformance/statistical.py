"""Rules about chance: each asks one or more yes-or-no questions of many random draws, pooled over traces.

How the rate of false alarms is kept. ``Tolerances.false_alarm`` bounds the probability that conforming runs are accused
by ANY statistical rule of ONE check, however many traces it is given and also where one checks again with every trace
that comes in. It is shared out evenly over the rules, and over the questions of a rule. Of a question's share, half
goes to all traces pooled: one row of bets (:mod:`~dgemma_viz.conformance.sequential_test`), carried on from trace to
trace. The other half is for traces by themselves, ``1 / (k (k + 1))`` of it for the k-th (those sum to 1), so that one
broken run is not drowned by healthy ones. That holds if traces are of separate random draws (those that repeat draws
are left out, :mod:`~dgemma_viz.conformance.repeated`), and were not chosen by what happened in them.

When a rule passes. Nothing was found, and every question would have been answered the other way, had all draws come out
as it asks (had every candidate been the draft, for instance). Otherwise it could not be told, and the tally says how
many more draws would be needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.conformance.outcome import Tally, lacking_words
from dgemma_viz.conformance.sequential_test import Bets
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Draws:
    """The draws of one canvas of one sample, in the order in which they were made.

    Attributes
    ----------
    happened
        Whether each came out as the question asks, bool ``(M,)``.
    probability
        Of that, given all draws before, ``(M,)``.
    steps, positions
        Where each was made, int ``(M,)``.
    sources
        What a draw may have been copied from, by name: whether each was, bool ``(M,)``.
    """

    happened: Array
    probability: Array
    steps: Array
    positions: Array
    sources: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Question:
    """What is asked of the draws.

    Attributes
    ----------
    what
        What is counted, in the plural.
    hit
        What those do that came out as the question asks; ``{source}`` is what most were copied from.
    alternative
        What a run in which all came out so would have done: the end of "whether ...".
    by
        What says how many should.
    draws
        The draws of one canvas of one sample.
    both_sides
        Also ask whether it happens too seldom.
    rounded
        Probabilities are rounded by up to ``Tolerances.probability``.
    """

    what: str
    hit: str
    alternative: str
    by: str
    draws: Callable[[Evidence, CanvasRun], Draws]
    both_sides: bool = False
    rounded: bool = False


@dataclass(frozen=True)
class Accusation:
    """A breach with the trace and the canvas in which the evidence sufficed."""

    trace: int
    run: CanvasRun
    breach: Breach
    order: tuple[int, int]
    """Which canvas run of the trace, and which of its draws: what comes first is named."""


@dataclass(frozen=True)
class Statistical:
    """The check of a statistical rule.

    Attributes
    ----------
    questions
        Each of them can break the rule.
    """

    questions: tuple[Question, ...]

    def judge(
        self, traces: Sequence[tuple[int, Evidence]], risk: float
    ) -> tuple[tuple[Tally, ...], dict[int, Accusation]]:
        """Put all questions to some traces.

        Parameters
        ----------
        traces
            Index and evidence of each, in the order in which they are pooled; without repeated draws.
        risk
            Probability with which conforming runs may be accused.

        Returns
        -------
        tuple
            One tally a question, and at most one accusation for each trace.
        """
        tallies, accused = [], dict[int, Accusation]()
        for question in self.questions:
            tally, found = _put(question, traces, risk / len(self.questions))
            tallies.append(tally)
            for one in found:
                before = accused.get(one.trace)
                if before is None or one.order < before.order:
                    accused[one.trace] = one
        return tuple(tallies), accused


def _put(question: Question, traces: Sequence[tuple[int, Evidence]], risk: float) -> tuple[Tally, list[Accusation]]:
    rounding = traces[0][1].tolerances.probability if question.rounded and traces else 0.0
    pooled = Bets(risk / 2, rounding=rounding, both_sides=question.both_sides)
    found: list[Accusation] = []
    seen_in = 0
    for number, (index, evidence) in enumerate(traces, 1):
        alone = Bets(risk / 2 / (number * (number + 1)), rounding=rounding, both_sides=question.both_sides)
        accusation: dict[str, Accusation] = {}
        for order, (run, draws) in enumerate(_canvases(question, evidence)):
            for scope, bets in (("alone", alone), ("pooled", pooled)):
                place = bets.place(draws.happened, draws.probability)
                if place is not None:
                    over = seen_in + 1 if scope == "pooled" else 1
                    breach = _breach(question, draws, place, bets, over)
                    accusation[scope] = Accusation(index, run, breach, (order, place))
        seen_in += bool(alone.events)
        found += [accusation.get("alone") or accusation["pooled"]] if accusation else []
    return _tally(question, pooled, seen_in), found


def _canvases(question: Question, evidence: Evidence) -> Iterator[tuple[CanvasRun, Draws]]:
    for run in evidence.runs():
        if run.n_steps:
            yield run, question.draws(evidence, run)


def _breach(question: Question, draws: Draws, place: int, bets: Bets, traces: int) -> Breach:
    counts = {name: int(hits[: place + 1].sum()) for name, hits in draws.sources.items()}
    hit = question.hit.format(source=max(counts, key=lambda name: counts[name]) if counts else "")
    scope = "Up to here" if traces == 1 else f"Over {traces} traces up to here"
    return Breach(
        int(draws.steps[place]),
        int(draws.positions[place]),
        f"{bets.hits} of {bets.events}",
        f"about {bets.expected:.4g} of {bets.events}",
        f"{scope}, {bets.hits:,} of {bets.events:,} {question.what} {hit}, where about {bets.expected:,.4g} should by "
        f"{question.by}.",
    )


def _tally(question: Question, bets: Bets, traces: int) -> Tally:
    more, reason = (0.0 if bets.rejected else bets.more_needed()), ""
    if not bets.events:
        reason = f"there are no {question.what} to tell whether {question.alternative}"
    elif more:
        words = lacking_words(more, bets.events, traces)
        reason = f"{bets.events:,} {question.what} cannot tell whether {question.alternative}; {words}"
    seen = f"{question.what} {question.hit.format(source='a copy')}"
    return Tally(seen, bets.events, bets.hits, bets.expected, bets.enough_after, more, traces, reason)


def draws_at(
    judged: Array, happened: Array, probability: Array, steps: Array, sources: Mapping[str, Array] | None = None
) -> Draws:
    """The draws at judged places ``(T, C)``, row by row; ``steps`` ``(T,)`` are the rows' numbers in the canvas."""
    rows, positions = np.nonzero(judged)
    return Draws(
        happened[judged],
        probability[judged],
        steps[rows],
        positions,
        {name: hits[judged] for name, hits in (sources or {}).items()},
    )
