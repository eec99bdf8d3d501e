"""Rules about chance: each asks one or more yes-or-no questions of many random draws, pooled over traces.

How the rate of false alarms is kept. ``Tolerances.false_alarm`` bounds the probability that conforming runs are accused
by ANY statistical rule of ONE check, however many traces it is given and also where one checks again with every trace
that comes in. It is shared out evenly over the rules, and over the questions of a rule. Of a question's share, half
goes to all traces pooled: one row of bets (:mod:`~dgemma_viz.conformance.sequential_test`), carried on from trace to
trace. The other half is for traces by themselves, ``1 / (k (k + 1))`` of it for the k-th (those sum to 1), so that one
broken run is not drowned by healthy ones. That holds if traces are of separate random draws (those that repeat draws
are left out, :func:`~dgemma_viz.conformance.check.repeated_draws`), and were not chosen by what happened in them.

When a rule passes. Nothing was found, and every question would have been answered the other way, had all draws come out
as it asks (had every candidate been the draft, for instance). Otherwise it could not be told, and the tally says how
many more draws would be needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dgemma_viz.conformance.evidence import Array, Evidence, breach, in_canvas
from dgemma_viz.conformance.sequential_test import Bets
from dgemma_viz.rules.finding import Finding
from dgemma_viz.rules.rule import Pooled, Tally
from dgemma_viz.trace.model import CanvasRun

_Placed = tuple[tuple[int, int], Finding]
"""Which canvas run of a trace and which of its draws: what comes first is named; and what is said of it."""


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


class Statistical(Pooled[Evidence]):
    """The check of a statistical rule; each of its questions can break the rule."""

    def __init__(self, *questions: Question) -> None:
        self.questions = questions

    def judge(self, cases: Sequence[tuple[int, Evidence]], risk: float) -> tuple[tuple[Tally, ...], list[Finding]]:
        """Put all questions to the traces; the earliest place of each trace is named."""
        tallies, accused = [], dict[int, _Placed]()
        for question in self.questions:
            tally, found = _put(question, cases, risk / len(self.questions))
            tallies.append(tally)
            for trace, placed in found.items():
                accused[trace] = min(accused.get(trace, placed), placed, key=lambda one: one[0])
        return tuple(tallies), [replace(accused[trace][1], trace=trace) for trace in sorted(accused)]


def _put(question: Question, cases: Sequence[tuple[int, Evidence]], risk: float) -> tuple[Tally, dict[int, _Placed]]:
    rounding = cases[0][1].tolerances.probability if question.rounded and cases else 0.0
    pooled = Bets(risk / 2, rounding=rounding, both_sides=question.both_sides)
    found: dict[int, _Placed] = {}
    seen_in = 0
    for number, (index, evidence) in enumerate(cases, 1):
        alone = Bets(risk / 2 / (number * (number + 1)), rounding=rounding, both_sides=question.both_sides)
        for order, run in enumerate(run for run in evidence.runs() if run.n_steps):
            draws = question.draws(evidence, run)
            in_all, in_one = (bets.place(draws.happened, draws.probability) for bets in (pooled, alone))
            if in_all is not None:
                told = _told(question, draws, in_all, pooled, seen_in + 1)
                found.setdefault(index, ((order, in_all), in_canvas(told, run)))
            if in_one is not None:  # what a trace shows by itself goes before what it adds to others
                found[index] = (order, in_one), in_canvas(_told(question, draws, in_one, alone, 1), run)
        seen_in += bool(alone.events)
    return _tally(question, pooled, seen_in), found


def _told(question: Question, draws: Draws, place: int, bets: Bets, traces: int) -> Finding:
    counts = {name: int(hits[: place + 1].sum()) for name, hits in draws.sources.items()}
    hit = question.hit.format(source=max(counts, key=lambda name: counts[name]) if counts else "")
    scope = "Up to here" if traces == 1 else f"Over {traces} traces up to here"
    return breach(
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
        reason = f"{bets.events:,} {question.what} cannot tell whether {question.alternative}; "
        reason += _what_would_tell(more, bets.events, traces)
    seen = f"{question.what} {question.hit.format(source='a copy')}"
    return Tally(seen, bets.events, bets.hits, bets.expected, bets.enough_after, more, traces, reason)


def _what_would_tell(more: float, draws: int, traces: int) -> str:
    """How much more would tell, in draws and in traces like these."""
    if not math.isfinite(more):
        return "no number of draws as sure as these would"
    more_traces = math.ceil(more * traces / draws)
    runs = f"{more_traces:,} more trace{'' if more_traces == 1 else 's'} like {'this' if traces == 1 else 'these'}"
    return f"about {more:,.0f} more like these would tell ({runs})"


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
