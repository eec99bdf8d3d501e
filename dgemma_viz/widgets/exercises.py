"""Exercises whose answers are checked at once, against a number that the page itself computes or a choice."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets
import traitlets

from dgemma_viz.amounts import measured
from dgemma_viz.errors import DgemmaVizError, SettingError
from dgemma_viz.markup import tag
from dgemma_viz.widgets.answer_fields import STYLE, choice, field, number, prose
from dgemma_viz.widgets.panels import alert, status

if TYPE_CHECKING:
    Answer = float | str


class Exercise(widgets.VBox):  # type: ignore[misc]
    """One question, a field or a choice for its answer, and what is said about the answer given.

    Parameters
    ----------
    question
        Plain text; words between backticks are shown as code.
    answer
        The right answer, or a function that returns it: called when an answer is checked, so that it may depend on what
        the reader did on the page.
    options
        What to choose from; without them, the reader types.
    unit
        Of a number, as it is written behind it.
    tolerance
        How far a number may lie from the right one and still count, in its unit.
    hint
        Said after a wrong answer.
    because
        Said with the right one: why it is right.

    Attributes
    ----------
    solved
        Whether the right answer was given; observable.

    Raises
    ------
    SettingError
        The answer is none of the options.
    """

    solved = traitlets.Bool(default_value=False, read_only=True)

    def __init__(
        self,
        question: str,
        answer: Answer | Callable[[], Answer],
        *,
        options: Sequence[str] = (),
        unit: str = "",
        tolerance: float = 0.0,
        hint: str = "",
        because: str = "",
    ) -> None:
        if options and not callable(answer) and answer not in options:
            raise SettingError(f"the right answer {answer!r} is none of the options {list(options)}")
        self._answer = answer
        self._unit, self._tolerance, self._hint, self._because = unit, tolerance, hint, because
        self.given = choice(options) if options else field("Answer", unit)
        self.check = widgets.Button(description="Check", tooltip="Check the answer", button_style="primary")
        self.reveal = widgets.Button(description="Show the answer", layout=widgets.Layout(display="none"))
        self.said = widgets.HTML()
        self.check.on_click(lambda _button: self._checked())
        self.reveal.on_click(lambda _button: self._revealed())
        if isinstance(self.given, widgets.Text):
            self.given.observe(lambda _change: self._checked(), "value")
        row = widgets.HBox([self.check, self.reveal], layout=widgets.Layout(flex_flow="row wrap", grid_gap="0 4px"))
        asked = widgets.HTML(f"{STYLE}{tag('p', prose(question), class_='dgx-question')}")
        super().__init__([asked, self.given, row, self.said], layout=widgets.Layout(width="100%", min_width="0"))
        self.add_class("dgx-exercise")

    def right_answer(self) -> Answer:
        """The right answer as things stand on the page."""
        return self._answer() if callable(self._answer) else self._answer

    def _checked(self) -> None:
        """Judge what was given, if anything was."""
        given = str(self.given.value or "").strip()
        if not given:
            self.said.value = status("Choose one first." if isinstance(self.given, widgets.RadioButtons) else "")
            return
        try:
            right = self.right_answer()
            agrees = self._agrees(given, right)
        except DgemmaVizError as error:
            self.said.value = alert(str(error))
            return
        if agrees:
            self.set_trait("solved", True)
            self.said.value = status(f"✓ Right. {self._because}".rstrip())
            self.reveal.layout.display = "none"
            return
        self.reveal.layout.display = None
        self.said.value = status(f"✗ Not yet. {self._hint}".rstrip())

    def _revealed(self) -> None:
        try:
            right = self.right_answer()
        except DgemmaVizError as error:
            self.said.value = alert(str(error))
            return
        shown = right if isinstance(right, str) else measured(right, self._unit, 6)
        self.said.value = status(f"It is {shown}. {self._because}".rstrip())

    def _agrees(self, given: str, right: Answer) -> bool:
        if isinstance(right, str):
            return given.casefold().split() == right.casefold().split()
        return math.isclose(number(given, self._unit), right, rel_tol=1e-9, abs_tol=self._tolerance)


class Exercises(widgets.VBox):  # type: ignore[misc]
    """Several exercises, numbered, and how many of them are solved."""

    def __init__(self, *exercises: Exercise) -> None:
        self.exercises = exercises
        self._count = widgets.HTML()
        for exercise in exercises:
            exercise.observe(lambda _change: self._counted(), "solved")
        self._counted()
        numbered = [part for n, exercise in enumerate(exercises, 1) for part in (_head(n), exercise)]
        super().__init__([*numbered, self._count], layout=widgets.Layout(width="100%", min_width="0", grid_gap="4px"))

    @property
    def solved(self) -> int:
        """How many are."""
        return sum(exercise.solved for exercise in self.exercises)

    def _counted(self) -> None:
        self._count.value = status(f"{self.solved} of {len(self.exercises)} solved")


def _head(number: int) -> widgets.HTML:
    return widgets.HTML(str(tag("h4", f"Exercise {number}", style="margin:12px 0 0")))
