"""Pairs of words told once and asked for again: an exercise that teaches the model to look a word up by its partner."""

from __future__ import annotations

import re
from typing import ClassVar

import numpy as np

from dgemma_viz.errors import PromptError
from dgemma_viz.tiny.tasks.task import Example, Task
from dgemma_viz.tiny.vocabulary import COLOURS, NAMES, PLACES, THINGS

_WORDS = (*NAMES, *COLOURS, *THINGS, *PLACES)
_PAIR = re.compile(rf" ({'|'.join(_WORDS)}) ({'|'.join(_WORDS)})")
_PROMPT = re.compile(rf"(?:{_PAIR.pattern})+")
_TOLD, _ASKED = 6, 14


class Pairs(Task):
    """Repeat pairs of words: only each second word follows from the prompt."""

    name: ClassVar[str] = "pairs"
    title: ClassVar[str] = "Pairs of words"
    description: ClassVar[str] = "Read six pairs of words, then tell some of them again in any order."
    example_prompts: ClassVar[tuple[str, ...]] = (" hat Tom red park Eva gold",)

    def sample(self, rng: np.random.Generator) -> Example:
        """Draw six pairs with different first words, and 14 times one of them."""
        first, second = rng.choice(_WORDS, _TOLD, replace=False), rng.choice(_WORDS, _TOLD)
        pairs = [f" {a} {b}" for a, b in zip(first, second, strict=True)]
        return Example("".join(pairs), "".join(rng.choice(pairs, _ASKED)))

    def validate_prompt(self, prompt: str) -> None:
        """Want pairs of the vocabulary's words with different first words."""
        pairs = _PAIR.findall(prompt)
        if _PROMPT.fullmatch(prompt) is None or len({first for first, _ in pairs}) < len(pairs):
            raise PromptError(
                f"Not pairs of words: {prompt!r}. Write names, colours, things and places in pairs with different "
                f"first words, such as {self.example_prompts[0]!r}."
            )

    def solve(self, prompt: str, completion: str = "") -> str:
        """The pairs once each, in order."""
        del completion
        return prompt

    def check(self, prompt: str, completion: str) -> bool:
        """Accept any of the pairs in any order, also repeatedly."""
        try:
            self.validate_prompt(prompt)
        except PromptError:
            return False
        return bool(_PROMPT.fullmatch(completion)) and set(_PAIR.findall(completion)) <= set(_PAIR.findall(prompt))
