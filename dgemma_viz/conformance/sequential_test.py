"""A test that may be looked at after every observation: betting against the hypothesis.

Somebody bets on each of a row of yes-or-no events, whose probabilities the hypothesis names in advance: a stake that
multiplies the capital by ``exp(b x) / (1 - p + p exp(b))``, ``x`` being 1 or 0. If the hypothesis is right, the capital
is a non-negative martingale that starts at 1, so the probability that it EVER reaches ``1 / a`` is at most ``a`` (Ville
1939; Shafer 2021, "Testing by betting", doi 10.1111/rssa.12647; survey in arXiv 2210.01948). Nothing is assumed about
how many events there are or when one stops looking, so the test may name the event at which the evidence sufficed.

Probabilities that are only known up to rounding are taken at the end of their interval that favours the hypothesis. The
capital is spread evenly over bets of several sizes, which keeps the guarantee and costs little.

Silence is no evidence by itself: of draws that could hardly come out otherwise, the capital hardly moves. So the same
bets are placed once more as if EVERY event had happened; only where those would have won does silence mean something.
"""

from __future__ import annotations

import math

import numpy as np

from dgemma_viz.conformance.evidence import Array

_SIZES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
_LEAST_GAIN = 1e-9
"""Nats an event; below it, more of them tell nothing that rounding does not."""


class Bets:
    """Bets against one hypothesis, carried on from call to call.

    Parameters
    ----------
    false_alarm
        Right probabilities are rejected with at most this probability, however many events follow.
    rounding
        Absolute error of the probabilities.
    both_sides
        Also look for events that happen too seldom; else only for those that happen too often.

    Attributes
    ----------
    events, hits, expected
        How many events were bet on until the evidence sufficed (or so far), how many of them happened, and how many
        should have.
    rejected
        The evidence sufficed.
    enough_after
        Number of events after which it would have sufficed, had every one of them happened; None if it would not yet.
    """

    def __init__(self, false_alarm: float, *, rounding: float = 0.0, both_sides: bool = False) -> None:
        self.events, self.hits, self.expected = 0, 0, 0.0
        self.rejected = False
        self.enough_after: int | None = None
        self._sizes = np.array((*_SIZES, *(-size for size in _SIZES)) if both_sides else _SIZES)[:, None]
        self._start = np.full(self._sizes.shape, -np.log(len(self._sizes)))
        self._log_capital, self._if_all = self._start, self._start
        self._enough, self._rounding = -np.log(false_alarm), rounding

    @property
    def capital(self) -> float:
        """What a capital of 1 at the start has become."""
        return float(np.exp(self._log_capital).sum())

    def place(self, happened: Array, probability: Array) -> int | None:
        """Bet on more events.

        Parameters
        ----------
        happened
            Bool ``(M,)``, in the order of time.
        probability
            Of each event given all before it, ``(M,)``.

        Returns
        -------
        int or None
            Index of the event at which the evidence sufficed; None where it did not, or had before.
        """
        if self.rejected or not len(happened):
            return None
        p = np.clip(probability + np.where(self._sizes > 0, self._rounding, -self._rounding), 0, 1)
        cost = np.log1p(p * np.expm1(self._sizes))
        log_capital = self._log_capital + np.cumsum(self._sizes * happened - cost, axis=1)
        if_all = self._if_all + np.cumsum(self._sizes - cost, axis=1)
        told = self._first(log_capital)
        if self.enough_after is None and (would := self._first(if_all)) is not None:
            self.enough_after = self.events + would + 1
        self.rejected = told is not None
        count = len(happened) if told is None else told + 1
        self._log_capital, self._if_all = log_capital[:, -1:], if_all[:, -1:]
        self.events += count
        self.hits += int(happened[:count].sum())
        self.expected += float(probability[:count].sum())
        return told

    def more_needed(self) -> float:
        """How many more events like those so far would suffice, if every one happened; infinite if no number would."""
        if self.enough_after is not None:
            return 0.0
        gain = (self._if_all - self._start) / max(1, self.events)
        if gain.max() < _LEAST_GAIN:
            return math.inf
        enough = 1
        while self._first(self._if_all + enough * gain) is None:
            enough *= 2
        low = enough // 2
        while enough - low > 1:
            middle = (low + enough) // 2
            if self._first(self._if_all + middle * gain) is None:
                low = middle
            else:
                enough = middle
        return float(enough)

    def _first(self, log_capital: Array) -> int | None:
        enough = np.logaddexp.reduce(log_capital, axis=0) >= self._enough
        return int(np.argmax(enough)) if enough.any() else None
