"""Sums to invent: equations of two-digit numbers, with a digit given here and there."""

from __future__ import annotations

import re
from functools import cache
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_FEWEST, _MOST = 3, 5
_FORM = r"[\d_]{2}\+[\d_]{2}=[\d_]{2}"
_PROMPT = re.compile(rf"sums ({_FORM}(?:/{_FORM}){{{_FEWEST - 1},{_MOST - 1}}}):")
_DIGITS = (0, 1, 3, 4, 6, 7)
_SHARE_WITH_DIGITS, _MOST_DIGITS = 0.5, 2


@cache
def _equations() -> tuple[str, ...]:
    """All 3,240 sums of two numbers from 10 to 89 that stay below 100."""
    return tuple(f"{a}+{b}={a + b}" for a in range(10, 90) for b in range(10, 100 - a))


def _fits(equation: str, form: str) -> bool:
    return all(wanted in ("_", sign) for sign, wanted in zip(equation, form, strict=True))


class Sums(Task):
    """Write sums that are right and differ from each other, keeping the digits that the prompt gives."""

    name: ClassVar[str] = "sums"
    title: ClassVar[str] = "Sums to invent"
    description: ClassVar[str] = "Invent three to five different sums of two-digit numbers; a few digits may be given."
    row: ClassVar[int] = 9
    example_prompts: ClassVar[tuple[str, ...]] = (
        "sums __+__=__/__+__=__/__+__=__/__+__=__/__+__=__:",
        "sums __+__=__/4_+__=__/__+__=_7/__+__=__:",
        "sums __+__=50/__+__=__/__+19=__:",
    )

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw three to five different equations; of about every other one, show one or two digits."""
        every = _equations()
        drawn = [every[i] for i in rng.choice(len(every), int(rng.integers(_FEWEST, _MOST + 1)), replace=False)]
        forms = []
        for equation in drawn:
            count = int(rng.integers(1, _MOST_DIGITS + 1)) if rng.random() < _SHARE_WITH_DIGITS else 0
            shown = set(rng.choice(_DIGITS, count, replace=False).tolist())
            forms.append("".join("_" if i in _DIGITS and i not in shown else sign for i, sign in enumerate(equation)))
        return Example(f"sums {'/'.join(forms)}:", "/".join(drawn))

    @staticmethod
    def _forms(prompt: str) -> list[str]:
        match = _PROMPT.fullmatch(prompt)
        return match[1].split("/") if match else []

    def validate_prompt(self, prompt: str) -> None:
        """Want three to five forms such as `4_+__=__`, for which there are different sums."""
        if not self._forms(prompt):
            raise PromptError(
                f"Not a prompt for sums: {prompt!r}. Write {_FEWEST} to {_MOST} forms of two-digit sums with / between "
                f"them and : at the end, _ for each digit to invent, such as {self.example_prompts[1]!r}."
            )
        self.solve(prompt)

    def solve(self, prompt: str, completion: str = "") -> str:
        """For each form in turn the sum, not used yet, that has most signs in common with the completion."""
        written = completion.split("/")
        used: list[str] = []
        for index, form in enumerate(self._forms(prompt)):
            near = written[index] if index < len(written) else ""
            fitting = [equation for equation in _equations() if equation not in used and _fits(equation, form)]
            if not fitting:
                raise PromptError(
                    f"No sum of two numbers from 10 to 89 below 100 has the form {form!r} and is not used yet. "
                    "Give other digits, or fewer."
                )
            used.append(max(fitting, key=lambda equation: sum(a == b for a, b in zip(equation, near, strict=False))))
        return "/".join(used)

    def check(self, prompt: str, completion: str) -> bool:
        """Accept different right sums of numbers from 10 to 89 that keep the given digits."""
        forms, written = self._forms(prompt), completion.split("/")
        return (
            bool(forms)
            and len(forms) == len(written) == len(set(written))
            and all(equation in _equations() for equation in written)
            and all(_fits(equation, form) for equation, form in zip(written, forms, strict=True))
        )
