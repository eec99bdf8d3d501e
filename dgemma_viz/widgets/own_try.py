"""An exercise without one right answer: the reader types a prompt or a setting, and a run judges it."""

from __future__ import annotations

from collections.abc import Callable

from dgemma_viz.widgets.exercises import Exercise


class OwnTry(Exercise):
    """A field for something of the reader's own, which is tried out.

    Parameters
    ----------
    question
        What to look for; as for :class:`~dgemma_viz.widgets.exercises.Exercise`.
    judge
        Takes what was typed, makes the run, and returns whether it is what was looked for, with a sentence that says
        what happened. Its own errors are shown.
    example
        Something that works, for readers who want to see one.
    """

    def __init__(self, question: str, judge: Callable[[str], tuple[bool, str]], example: str) -> None:
        super().__init__(question, example)
        self._judge = judge

    def _agrees(self, given: str, right: float | str) -> bool:
        del right
        found, told = self._judge(given)
        self._because = self._hint = told
        return found
