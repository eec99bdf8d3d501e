"""What a sweep runs: every setting of a grid with every seed and every batch of prompts; none twice.

A cell is known by its content (:attr:`Cell.key`), so that a file of finished cells can serve a sweep that has grown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, Self

from dgemma_viz.errors import PromptError, SettingError
from dgemma_viz.labs.grid import listed
from dgemma_viz.labs.run import checked_seed
from dgemma_viz.labs.samplers import DEFAULT_SAMPLER, Sampler, chosen, sampler_named

Grid = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]
"""Values of each parameter, to be crossed; or a list of settings, ``{"sampler": name, **parameters}`` each."""

OFF = "off"
"""How None, which switches a parameter off, stands in a table: NaN there means that it was not chosen."""


@dataclass(frozen=True)
class Setting:
    """A sampler and chosen parameters, checked; equal settings are equal objects.

    Attributes
    ----------
    sampler
        Key of :data:`~dgemma_viz.labs.samplers.SAMPLERS`.
    chosen
        Name and value of each chosen parameter, in the sampler's own order. The rest is ruled by the model's generation
        config and the library's defaults.
    """

    sampler: str
    chosen: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """From ``{"sampler": name, **parameters}``; without a name, the sampler is ``entropy_bound``.

        Raises
        ------
        SettingError
            No such sampler or parameter, or a value that it cannot have.
        """
        sampler, checked = chosen(given)
        order = [parameter.name for parameter in sampler.parameters]
        return cls(sampler.name, tuple((name, checked[name]) for name in order if name in checked))

    @property
    def parameters(self) -> dict[str, Any]:
        """The chosen parameters, as :func:`~dgemma_viz.labs.run.run` takes them."""
        return dict(self.chosen)

    @property
    def label(self) -> str:
        """For people, and unique: ``block_refinement · max_denoising_steps=8 · threshold=0.9``."""
        return " · ".join([self.sampler, *(f"{name}={shown(value)}" for name, value in self.chosen)])


def shown(value: Any) -> Any:
    """A parameter's value for a table: :data:`OFF` for None."""
    return OFF if value is None else value


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
    return tuple(dict.fromkeys(checked_seed(seed) for seed in listed("seeds", seeds)))


def settings_of(grid: Grid) -> tuple[Setting, ...]:
    """The settings of a grid, in its order; those that are the same are merged.

    A mapping is crossed, sampler by sampler. A parameter that a sampler does not have does not multiply its settings:
    ``{"sampler": ["entropy_bound", "block_refinement"], "entropy_bound": [0.05, 0.1]}`` makes three.

    Raises
    ------
    SettingError
        There is nothing in it, a sampler or parameter is unknown, or a value is out of range or does not go together
        with another.
    """
    if isinstance(grid, Sequence | Mapping) and not len(grid):
        raise SettingError(
            "there is nothing in the grid: give the values of at least one parameter, such as "
            "{'max_denoising_steps': [4, 8, 16]}, or a list of settings"
        )
    given = _crossed(grid) if isinstance(grid, Mapping) else listed("settings in the grid", grid)
    return tuple(dict.fromkeys(Setting.of(one) for one in given))


def _crossed(grid: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    values = {name: listed(f"values of {name!r} in the grid", given) for name, given in grid.items()}
    samplers = [sampler_named(name) for name in values.pop("sampler", [DEFAULT_SAMPLER])]
    _check_known(values, samplers)
    crossed: list[dict[str, Any]] = []
    for sampler in samplers:
        own = {parameter.name for parameter in sampler.parameters}
        names = [name for name in values if name in own]
        combined = product(*(values[name] for name in names))
        crossed += [{"sampler": sampler.name, **dict(zip(names, one, strict=True))} for one in combined]
    return crossed


def _check_known(names: Iterable[str], samplers: Sequence[Sampler]) -> None:
    known = {sampler.name: [parameter.name for parameter in sampler.parameters] for sampler in samplers}
    for name in names:
        if not any(name in own for own in known.values()):
            has = "; ".join(f"'{sampler}' has {', '.join(own)}" for sampler, own in known.items())
            raise SettingError(f"no sampler of the grid has a parameter {name!r}: {has}")
