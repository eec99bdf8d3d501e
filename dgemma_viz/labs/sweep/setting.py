"""One point of a grid: a sampler and the parameters that are chosen for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.samplers import sampler_named

DEFAULT_SAMPLER = "entropy_bound"
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
        if not isinstance(given, Mapping):
            raise SettingError(f"a setting is a mapping from parameter to value, not {given!r}")
        sampler = sampler_named(given.get("sampler", DEFAULT_SAMPLER))
        checked = sampler.checked({name: value for name, value in given.items() if name != "sampler"})
        order = [parameter.name for parameter in sampler.parameters]
        return cls(sampler.name, tuple((name, checked[name]) for name in order if name in checked))

    @property
    def parameters(self) -> dict[str, Any]:
        """The chosen parameters, as :func:`~dgemma_viz.labs.samplers.run_sampler` takes them."""
        return dict(self.chosen)

    @property
    def label(self) -> str:
        """For people, and unique: ``block_refinement · max_denoising_steps=8 · threshold=0.9``."""
        return " · ".join([self.sampler, *(f"{name}={shown(value)}" for name, value in self.chosen)])


def shown(value: Any) -> Any:
    """A parameter's value for a table: :data:`OFF` for None."""
    return OFF if value is None else value
