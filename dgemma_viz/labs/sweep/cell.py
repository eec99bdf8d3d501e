"""The cells of a sweep: one run of the loop each, with a setting, a seed and a batch of prompts.

A cell is known by its content (:attr:`Cell.key`), so that a file of finished cells can serve a sweep that has grown.
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dgemma_viz.errors import PromptError, SettingError
from dgemma_viz.labs.seeds import checked_seed
from dgemma_viz.labs.sweep.grid import listed
from dgemma_viz.labs.sweep.setting import Setting


@dataclass(frozen=True)
class Cell:
    """One batch of prompts with one setting and seed."""

    setting: Setting
    seed: int
    prompts: tuple[str, ...]

    @cached_property
    def key(self) -> str:
        """The same for the same content, in every process."""
        content = [self.setting.sampler, self.setting.parameters, self.seed, self.prompts]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Plan:
    """Everything that a sweep runs. Runs are numbered by setting, then seed, then prompt: the rows of its table.

    Attributes
    ----------
    settings, seeds, prompts
        What is crossed; none twice.
    batch_size
        Most prompts that run together.
    """

    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]
    prompts: tuple[str, ...]
    batch_size: int = 1

    def __len__(self) -> int:
        """Runs."""
        return len(self.settings) * len(self.seeds) * len(self.prompts)

    def batches(self) -> list[tuple[str, ...]]:
        """The prompts, cut into batches."""
        return [self.prompts[n : n + self.batch_size] for n in range(0, len(self.prompts), self.batch_size)]

    def cells(self) -> list[Cell]:
        """All cells in the order to run them: settings innermost, so that a sweep that ends early compares them all."""
        return [
            Cell(setting, seed, batch) for seed in self.seeds for batch in self.batches() for setting in self.settings
        ]

    def rows(self) -> Iterator[tuple[Cell, int]]:
        """The cell and the place in its batch of every run, by number."""
        for number in range(len(self)):
            yield self.row(number)

    def row(self, number: int) -> tuple[Cell, int]:
        """The cell of one run, and its place in the batch."""
        rest, prompt = divmod(number, len(self.prompts))
        setting, seed = divmod(rest, len(self.seeds))
        batch, place = divmod(prompt, self.batch_size)
        prompts = self.prompts[batch * self.batch_size : (batch + 1) * self.batch_size]
        return Cell(self.settings[setting], self.seeds[seed], prompts), place


def checked_prompts(prompts: Any) -> tuple[str, ...]:
    """The prompts, none twice.

    Raises
    ------
    SettingError
        They are not a list of texts, or there are none.
    PromptError
        One is empty.
    """
    texts = listed("prompts", prompts)
    if not texts:
        raise SettingError("there are no prompts: give at least one")
    for text in texts:
        if not isinstance(text, str):
            raise SettingError(f"a prompt is text, not {text!r}")
        if not text.strip():
            raise PromptError("a prompt is empty: write one, or leave it out")
    return tuple(dict.fromkeys(texts))


def checked_seeds(seeds: Any) -> tuple[int, ...]:
    """The seeds, none twice.

    Raises
    ------
    SettingError
        There are none, or one is not a whole number in the range of ``torch.manual_seed``.
    """
    found = [checked_seed(seed) for seed in listed("seeds", seeds)]
    if not found:
        raise SettingError("there are no seeds: give at least one")
    return tuple(dict.fromkeys(found))


def whole(what: str, value: Any, least: int, most: int) -> int:
    """A whole number in a range.

    Raises
    ------
    SettingError
        It is none.
    """
    try:
        number = operator.index(value)
    except TypeError:
        raise SettingError(f"{what} must be a whole number, not {value!r}") from None
    if not least <= number <= most:
        raise SettingError(f"{what} of {number} is out of range; choose {least} to {most}")
    return number
