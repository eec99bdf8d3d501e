"""Predict first: choose one of several outcomes, guess a number, or mark the tokens that the sampler will accept.

Each stands before what it asks about: the run, the table, the figure (:mod:`dgemma_viz.widgets.prediction`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.amounts import measured
from dgemma_viz.errors import SettingError
from dgemma_viz.markup import Markup, tag
from dgemma_viz.plain_text import visible
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.views.run_header import readable
from dgemma_viz.views.still_text import Tokens, paragraph, text_html
from dgemma_viz.widgets.answer_fields import choice, field, number
from dgemma_viz.widgets.prediction import Prediction
from dgemma_viz.widgets.token_marks import TokenMarks

if TYPE_CHECKING:
    from dgemma_viz.widgets.prediction import Content

_LONGEST_ANSWER = 300
_ROOM = 20_000
"""Bytes of the tokens that a notebook keeps of a question."""


class Choose(Prediction):
    """Choose one of several outcomes.

    Parameters
    ----------
    question, then, because
        See :class:`~dgemma_viz.widgets.prediction.Prediction`.
    options
        What to choose from, at least two.
    right
        Takes the outcome from a run: returns one of the options.

    Raises
    ------
    SettingError
        There are fewer than two options, or two that are the same; or ``right`` is no function.
    """

    nothing_given = "Choose one first."

    def __init__(
        self,
        question: str,
        options: Sequence[str],
        right: Callable[[], str],
        then: Content = None,
        *,
        because: str = "",
    ) -> None:
        if len(options) < 2 or len(set(options)) < len(options):  # noqa: PLR2004 - else there is nothing to choose
            raise SettingError(f"a choice needs at least two options, each once; given are {list(options)}")
        self._options, self._outcome = tuple(options), _function(right)
        self.choice = choice(self._options)
        super().__init__(question, self.choice, then, because=because)

    def given(self) -> str | None:
        """The chosen option."""
        chosen: str | None = self.choice.value
        return chosen

    def truth(self) -> str:
        """The outcome.

        Raises
        ------
        SettingError
            It is none of the options.
        """
        right: str = self._outcome()
        if right not in self._options:
            raise SettingError(f"the run's outcome {right!r} is none of the options {list(self._options)}")
        return right

    def _verdict(self, answer: str, right: str) -> str:
        said = f"“{_short(answer)}”"
        return f"{said}: ✓ that is what happened." if answer == right else f"{said}: ✗ it was “{_short(right)}”."

    def _told(self, right: str) -> str:
        return f"It was “{_short(right)}”."

    def _in_words(self) -> Markup:
        return tag("ul", [tag("li", readable(option, _LONGEST_ANSWER)) for option in self._options])


class Guess(Prediction):
    """Guess a number.

    Parameters
    ----------
    question, then, because
        See :class:`~dgemma_viz.widgets.prediction.Prediction`.
    right
        Takes the number from a run.
    tolerance
        How far a guess may lie from it and still count, in its unit; None: both are shown beside each other, and none
        is called right or wrong.
    unit
        As it is written behind the number; words in the plural.

    Raises
    ------
    SettingError
        ``right`` is no function, or the tolerance no number from 0 on.
    """

    nothing_given = "Write a number first; a rough guess will do."

    def __init__(
        self,
        question: str,
        right: Callable[[], float],
        then: Content = None,
        *,
        tolerance: float | None = None,
        unit: str = "",
        because: str = "",
    ) -> None:
        if tolerance is not None and not 0 <= tolerance < math.inf:
            raise SettingError(
                f"a tolerance of {tolerance!r} is out of range; choose 0 or more, or None to judge nothing"
            )
        self._number, self._tolerance, self._unit = _function(right), tolerance, unit
        self.field = field("Your guess", unit)
        super().__init__(question, self.field, then, because=because)

    def given(self) -> float | None:
        """The number that was typed."""
        typed = str(self.field.value or "").strip()
        return number(typed, self._unit) if typed else None

    def truth(self) -> float:
        """The number of the run.

        Raises
        ------
        SettingError
            It is none.
        """
        right = float(self._number())
        if not math.isfinite(right):
            raise SettingError("this run does not have the number that is asked for")
        return right

    def _words(self, answer: float) -> str:
        return measured(answer, self._unit)

    def _verdict(self, answer: float, right: float) -> str:
        said = self._words(answer)
        if self._tolerance is None:
            return f"{said}; measured: {self._words(right)}."
        if math.isclose(answer, right, rel_tol=1e-9, abs_tol=self._tolerance):
            exact = "" if answer == right else f" It was {self._words(right)}."
            return f"{said}: ✓ near enough.{exact}" if exact else f"{said}: ✓ exactly."
        return f"{said}: ✗ it was {self._words(right)}."

    def _told(self, right: float) -> str:
        return f"It was {self._words(right)}."

    def _in_words(self) -> Markup:
        return paragraph(f"A number ({self._unit})" if self._unit else "A number")


class Mark(Prediction):
    """Mark the tokens that the sampler will accept.

    The reader sees what there was to see before the decision, the draft of the step, and marks tokens in it. What is
    right is the decision that the trace recorded.

    Parameters
    ----------
    question, then, because
        See :class:`~dgemma_viz.widgets.prediction.Prediction`.
    trace
        A recorded run, or what holds one.
    step
        Denoising step within the canvas, counted from 0.
    canvas, sample
        Of the trace, counted from 0.
    positions
        Which can be marked, such as ``range(12)``; None: all that belong to the output.
    confidence
        Whether each token has the shade of its confidence.
    row
        How many tokens stand in a row; 0: as many as fit.

    Attributes
    ----------
    tokens
        The :class:`~dgemma_viz.widgets.token_marks.TokenMarks`; its ``marked`` are the marked positions.

    Raises
    ------
    TraceError
        The trace has no such canvas or sample.
    SettingError
        The canvas has no such step or position; the step made no decision; or confidence is asked for and was not
        recorded.
    """

    did = "marked"
    nothing_given = "Mark at least one token first."

    def __init__(  # noqa: PLR0913 - all but the place by name
        self,
        question: str,
        trace: TraceLike,
        step: int,
        then: Content = None,
        *,
        canvas: int = 0,
        sample: int = 0,
        positions: Sequence[int] | None = None,
        confidence: bool = False,
        row: int = 0,
        because: str = "",
    ) -> None:
        run = as_trace(trace, "Mark()").canvas_run(canvas, sample)
        self.tokens = TokenMarks(run, step, positions=positions, confidence=confidence, row=row)
        super().__init__(question, self.tokens, then, because=because)

    def given(self) -> tuple[int, ...] | None:
        """The marked positions."""
        return tuple(self.tokens.marked) or None

    def truth(self) -> tuple[int, ...]:
        """The accepted positions."""
        return self.tokens.right

    def _reveal(self) -> None:
        self.tokens.tell()

    def _verdict(self, answer: tuple[int, ...], right: tuple[int, ...]) -> str:
        hits, missed, wrong = map(len, self.tokens.score(answer))
        sign = "✗ " if missed or wrong else "✓ "
        return f"{_tokens(len(answer))}: {sign}{hits} hit, {missed} missed, {wrong} wrongly marked. {self._told(right)}"

    def _told(self, right: tuple[int, ...]) -> str:
        return f"The sampler accepted {len(right)} of these {_tokens(len(self.tokens.positions))}."

    def _in_words(self) -> Markup:
        run, places = self.tokens.run, list(self.tokens.positions)
        ids = run.array("draft")[self.tokens.step, places]
        plain = Tokens(ids, np.full(len(ids), np.nan), np.zeros(len(ids), dtype=bool))
        return text_html(run.trace, plain, _ROOM)


def _function(right: Any) -> Callable[[], Any]:
    if not callable(right):
        raise SettingError(f"what is right must be a function that takes it from a run, not {right!r}")
    function: Callable[[], Any] = right
    return function


def _short(text: str) -> str:
    return visible(text, _LONGEST_ANSWER)


def _tokens(count: int) -> str:
    return "1 token" if count == 1 else f"{count} tokens"
