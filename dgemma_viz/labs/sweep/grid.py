"""From a grid to its settings: every combination, but none twice and none that a sampler has no word for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import product
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import Sampler, sampler_named
from dgemma_viz.labs.sweep.setting import DEFAULT_SAMPLER, Setting

Grid = Mapping[str, Iterable[Any]] | Sequence[Mapping[str, Any]]
"""Values of each parameter, to be crossed; or a list of settings, ``{"sampler": name, **parameters}`` each."""


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
    given = _crossed(grid) if isinstance(grid, Mapping) else listed("the grid", grid)
    if not given:
        raise SettingError(
            "there is nothing in the grid: give the values of at least one parameter, such as "
            "{'max_denoising_steps': [4, 8, 16]}, or a list of settings"
        )
    return tuple(dict.fromkeys(Setting.of(one) for one in given))


def _crossed(grid: Mapping[str, Iterable[Any]]) -> list[dict[str, Any]]:
    values = {name: listed(f"the values of {name!r}", given) for name, given in grid.items()}
    if empty := [name for name, given in values.items() if not given]:
        raise SettingError(f"{empty[0]!r} has no values in the grid: give at least one, or leave it out")
    if not values:
        return []
    samplers = [sampler_named(name) for name in values.pop("sampler", [DEFAULT_SAMPLER])]
    _check_known(values, samplers)
    crossed: list[dict[str, Any]] = []
    for sampler in samplers:
        own = {parameter.name for parameter in sampler.parameters}
        names = [name for name in values if name in own]
        chosen = product(*(values[name] for name in names))
        crossed += [{"sampler": sampler.name, **dict(zip(names, one, strict=True))} for one in chosen]
    return crossed


def _check_known(names: Iterable[str], samplers: Sequence[Sampler]) -> None:
    known = {sampler.name: [parameter.name for parameter in sampler.parameters] for sampler in samplers}
    for name in names:
        if not any(name in own for own in known.values()):
            has = "; ".join(f"'{sampler}' has {', '.join(own)}" for sampler, own in known.items())
            raise SettingError(f"no sampler of the grid has a parameter {name!r}: {has}")


def listed(what: str, values: Any) -> list[Any]:
    """What must be a list, as one. Text is not a list of letters, and a set has no order of its own.

    Raises
    ------
    SettingError
        It is none.
    """
    if isinstance(values, str | bytes | Mapping | AbstractSet) or not isinstance(values, Iterable):
        raise SettingError(f"{what} must be a list, even of one, not {values!r}")
    return list(values)
