"""Every sampler in one table."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers.diffusers_schedulers import BLOCK_REFINEMENT, DISCRETE_DDIM, ENTROPY_BOUND_DIFFUSERS
from dgemma_viz.labs.samplers.entropy_bound import ENTROPY_BOUND
from dgemma_viz.labs.samplers.llada2 import LLADA2
from dgemma_viz.labs.samplers.sampler import Sampler

SAMPLERS: Mapping[str, Sampler] = MappingProxyType(
    {
        sampler.name: sampler
        for sampler in (ENTROPY_BOUND, ENTROPY_BOUND_DIFFUSERS, BLOCK_REFINEMENT, DISCRETE_DDIM, LLADA2)
    }
)
"""By name."""


def sampler_named(name: str) -> Sampler:
    """The sampler of a name.

    Raises
    ------
    SettingError
        There is none; the message names those that there are.
    """
    if name not in SAMPLERS:
        raise SettingError(f"there is no sampler {name!r}; choose one of {', '.join(SAMPLERS)}")
    return SAMPLERS[name]


def need_samplers(*names: str) -> None:
    """Say at the top of a page that it cannot run here, in place of halfway down.

    Raises
    ------
    MissingDependencyError
        A sampler's library is missing, or its version does not go with the others; what to install.
    """
    for name in names:
        sampler_named(name).need_library()
