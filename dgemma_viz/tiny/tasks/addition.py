"""Addition of two three-digit numbers, with carries."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task

_PROMPT = re.compile(r"add (\d{3})\+(\d{3})=")
_WIDTH = 4


def _aligned_sum(left: int, right: int) -> str:
    return str(left + right).rjust(_WIDTH)


class Addition(Task):
    """Add two numbers from 100 to 999. The sum is right-aligned in four columns, so 347+285 gives ' 632'."""

    name: ClassVar[str] = "addition"
    title: ClassVar[str] = "Addition with carries"
    description: ClassVar[str] = "Add two three-digit numbers; the sum is aligned to the right in four columns."
    example_prompts: ClassVar[tuple[str, ...]] = ("add 347+678=", "add 467+999=", "add 482+266=")

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw both numbers uniformly from 100 to 999."""
        left, right = (int(number) for number in rng.integers(100, 1000, size=2))
        return Example(f"add {left}+{right}=", _aligned_sum(left, right))

    def validate_prompt(self, prompt: str) -> None:
        """Want the form `add 347+285=`."""
        match = _PROMPT.fullmatch(prompt)
        if match is None or match[1][0] == "0" or match[2][0] == "0":
            raise PromptError(
                f"Not an addition prompt: {prompt!r}. Write two numbers from 100 to 999, such as "
                f"{self.example_prompts[0]!r}."
            )

    def solve(self, prompt: str, completion: str = "") -> str:
        """The sum, aligned to the right."""
        del completion
        return _aligned_sum(*map(int, prompt.removeprefix("add ").removesuffix("=").split("+")))

    def check(self, prompt: str, completion: str) -> bool:
        """Accept the sum, with or without leading spaces."""
        return bool(_PROMPT.fullmatch(prompt)) and completion.lstrip(" ") == self.solve(prompt).lstrip(" ")

    def split_key(self, prompt: str) -> str:
        """Give a+b and b+a the same key."""
        match = _PROMPT.fullmatch(prompt)
        return prompt if match is None else "+".join(sorted(match.groups()))
