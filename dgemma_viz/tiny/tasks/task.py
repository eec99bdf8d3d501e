"""What a task of the bundled model is: a source of prompts with answers, and a judge of completions.

A task never sees a model. It writes prompts, knows one right answer to each, and can tell for any completion whether
it is right, also where several answers are (a Sudoku with few clues). Everything here needs numpy only, so a
dashboard can offer the tasks without importing torch.

Held out from training are the example prompts and one prompt in sixteen, by a checksum of what it asks
(`Task.split_key`). The rule depends on nothing else, so no seed and no change to a sampler can leak a held-out prompt
into training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import cycle, islice
from typing import ClassVar
from zlib import crc32

import numpy as np

_BOS = "<bos>"


@dataclass(frozen=True, slots=True)
class Example:
    """A prompt and one right answer to it, both as plain text."""

    prompt: str
    answer: str


class Task(ABC):
    """One kind of question that the bundled model was trained to answer.

    Attributes
    ----------
    name
        Identifier, as used on the command line.
    title
        What a menu shows.
    description
        One line that says what goes in and what comes out.
    example_prompts
        A few valid prompts to start from; none of them was trained on.
    row
        Tokens in a line of an answer, what parts the lines included, where all lines are equally long; else 0.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    example_prompts: ClassVar[tuple[str, ...]]
    row: ClassVar[int] = 0

    @abstractmethod
    def sample(self, rng: np.random.Generator) -> Example:
        """Draw one example. The same generator state gives the same example."""

    @abstractmethod
    def validate_prompt(self, prompt: str) -> None:
        """Raise `PromptError` that says what is wrong if `prompt` is not a prompt of this task."""

    @abstractmethod
    def check(self, prompt: str, completion: str) -> bool:
        """Tell whether `completion` (text up to the end-of-sequence token) is a right answer to `prompt`."""

    @abstractmethod
    def solve(self, prompt: str, completion: str = "") -> str:
        """A right answer to a valid prompt: where there are several, one that keeps what it can of ``completion``."""

    def right_answer(self, prompt: str, completion: str = "") -> str:
        """:meth:`solve`, for a prompt as a trace holds it: with the beginning-of-sequence token before it.

        Raises
        ------
        PromptError
            It is not a prompt of this task.
        """
        prompt = prompt.removeprefix(_BOS)
        self.validate_prompt(prompt)
        return self.solve(prompt, completion)

    def split_key(self, prompt: str) -> str:
        """Text that decides whether a prompt is for training or held out; equal for prompts that ask the same."""
        return prompt


HELD_OUT_ONE_IN = 16


def is_held_out(task: Task, prompt: str) -> bool:
    """Tell whether training must not use this prompt."""
    chosen = crc32(f"{task.name}|{task.split_key(prompt)}".encode()) % HELD_OUT_ONE_IN == 0
    return chosen or prompt in task.example_prompts


def sample_example(task: Task, rng: np.random.Generator, *, held_out: bool) -> Example:
    """Draw examples until one is on the wanted side of the split."""
    while True:
        example = task.sample(rng)
        if is_held_out(task, example.prompt) == held_out:
            return example


_IN_VAIN = 2000
"""Draws without a new prompt after which there is taken to be none."""


def different_examples(task: Task, rng: np.random.Generator, count: int, *, held_out: bool) -> list[Example]:
    """Draw ``count`` examples whose prompts are all different.

    The example prompts of an open task are always held out, and other prompts one time in sixteen: of the grids that
    :func:`sample_example` draws with ``held_out``, most are the empty one. A task that has fewer such prompts gives
    them all, and then again from the first.
    """
    found: dict[str, Example] = {}
    in_vain = 0
    while len(found) < count and in_vain < _IN_VAIN:
        example = sample_example(task, rng, held_out=held_out)
        in_vain = in_vain + 1 if example.prompt in found else 0
        found.setdefault(example.prompt, example)
    return list(islice(cycle(found.values()), count))
