"""Every sampler in one table: what is run, what may be chosen, and what is known of how it decides.

To add one, write its file, with a :class:`~dgemma_viz.labs.samplers.sampler.Sampler`, and name it in :data:`SAMPLERS`.
:func:`dgemma_viz.labs.run.run` runs it, recorded by what :mod:`dgemma_viz.recorders.registry` has for its ``loop``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers.causal import AUTOREGRESSIVE, DRAFTED, LOOKED_UP
from dgemma_viz.labs.samplers.diffusers_schedulers import BLOCK_REFINEMENT, DISCRETE_DDIM, ENTROPY_BOUND_DIFFUSERS
from dgemma_viz.labs.samplers.entropy_bound import ENTROPY_BOUND
from dgemma_viz.labs.samplers.llada2 import LLADA2
from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.sampler import Noise, Prepared, Sampler, Values, noise_of

__all__ = [
    "DEFAULT_SAMPLER",
    "DENOISERS",
    "SAMPLERS",
    "Choice",
    "Choices",
    "Noise",
    "Parameter",
    "Prepared",
    "Sampler",
    "Values",
    "chosen",
    "labelled",
    "need_samplers",
    "noise_of",
    "sampler_named",
]

SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        sampler.name: sampler
        for sampler in (
            ENTROPY_BOUND,
            ENTROPY_BOUND_DIFFUSERS,
            BLOCK_REFINEMENT,
            DISCRETE_DDIM,
            LLADA2,
            AUTOREGRESSIVE,
            DRAFTED,
            LOOKED_UP,
        )
    }
)
"""By name."""

DENOISERS = tuple(name for name, sampler in SAMPLERS.items() if sampler.way == "diffusion")
"""Names of those that denoise a canvas."""

DEFAULT_SAMPLER = ENTROPY_BOUND.name

Choice = str | Sampler | Mapping[str, Any]
"""A sampler by its name or itself, or with parameters: ``{"sampler": name, **parameters}``."""

Choices = str | Sampler | Iterable[Choice] | Mapping[str, Choice]
"""One or several choices, or a mapping from label to choice."""


def sampler_named(name: str | Sampler) -> Sampler:
    """The sampler of a name; a way of decoding, such as ``"diffusion"``, stands for its first sampler.

    Raises
    ------
    SettingError
        There is none; the message names those that there are.
    """
    if isinstance(name, Sampler):
        return name
    if name in SAMPLERS:
        return SAMPLERS[name]
    for sampler in SAMPLERS.values():
        if sampler.way == name:
            return sampler
    raise SettingError(f"there is no sampler {name!r}; choose one of {', '.join(SAMPLERS)}")


def need_samplers(*names: str) -> None:
    """Say at the top of a page that it cannot run here, in place of halfway down.

    Raises
    ------
    MissingDependencyError
        A sampler's library is missing, or its version does not go with the others; what to install.
    """
    for name in names:
        sampler_named(name).need_library()


def chosen(choice: Choice) -> tuple[Sampler, Values]:
    """Sampler and checked parameters; without a name, the sampler is ``entropy_bound``.

    Raises
    ------
    SettingError
        No such sampler or parameter, or a value that it cannot have.
    """
    if isinstance(choice, str | Sampler):
        return sampler_named(choice), {}
    if not isinstance(choice, Mapping):
        raise SettingError(
            f"{choice!r} is not a setting: give the name of a sampler, or {{'sampler': name, **parameters}}"
        )
    sampler = sampler_named(choice.get("sampler", DEFAULT_SAMPLER))
    return sampler, sampler.checked({name: value for name, value in choice.items() if name != "sampler"})


def labelled(choices: Choices) -> dict[str, tuple[Sampler, Values]]:
    """Label to sampler and checked parameters; a choice without a label has its sampler's name.

    Raises
    ------
    SettingError
        There is none, two have one label, or as :func:`chosen`.
    """
    if isinstance(choices, str | Sampler):
        choices = [choices]
    pairs = choices.items() if isinstance(choices, Mapping) else [("", choice) for choice in choices]
    found: dict[str, tuple[Sampler, Values]] = {}
    for label, choice in pairs:
        known = chosen(choice)
        name = str(label) or (choice if isinstance(choice, str) else known[0].name)
        if name in found:
            raise SettingError(f"two settings are called '{name}': give a mapping from label to setting")
        found[name] = known
    if not found:
        raise SettingError(f"there is no setting to run; choose from {', '.join(SAMPLERS)}")
    return found
