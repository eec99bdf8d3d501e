"""Sorting a row of digits."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_FEWEST, _MOST = 4, 10
_PROMPT = re.compile(rf"sort (\d{{{_FEWEST},{_MOST}}})=")


class Sort(Task):
    """Put 4 to 10 digits in ascending order, repeats included."""

    name: ClassVar[str] = "sort"
    title: ClassVar[str] = "Sorting digits"
    description: ClassVar[str] = "Put four to ten digits in ascending order; a digit may occur more than once."
    example_prompts: ClassVar[tuple[str, ...]] = ("sort 1493=", "sort 27182818=", "sort 9736916276=")

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw the length, then each digit, uniformly."""
        digits = "".join(map(str, rng.integers(0, 10, size=int(rng.integers(_FEWEST, _MOST + 1)))))
        return Example(f"sort {digits}=", "".join(sorted(digits)))

    def validate_prompt(self, prompt: str) -> None:
        """Want the form `sort 72940=`."""
        if _PROMPT.fullmatch(prompt) is None:
            raise PromptError(
                f"Not a sorting prompt: {prompt!r}. Write {_FEWEST} to {_MOST} digits without spaces, such as "
                f"{self.example_prompts[0]!r}."
            )

    def solve(self, prompt: str, completion: str = "") -> str:
        """The digits of the prompt in ascending order."""
        del completion
        return "".join(sorted(prompt.removeprefix("sort ").removesuffix("=")))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept the digits of the prompt in ascending order."""
        return bool(_PROMPT.fullmatch(prompt)) and completion == self.solve(prompt)

    def split_key(self, prompt: str) -> str:
        """Give every order of the same digits the same key."""
        match = _PROMPT.fullmatch(prompt)
        return prompt if match is None else "".join(sorted(match[1]))
