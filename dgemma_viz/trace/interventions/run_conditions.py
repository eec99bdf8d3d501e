"""Interventions in the conditions of a run: what the model is told of its last step, and the sampler's parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.interventions.forced_decisions import number_of_steps
from dgemma_viz.trace.interventions.intervention import Intervention


@dataclass(frozen=True)
class DropSelfConditioning(Intervention):
    """Withhold from the decoder what it predicted in the step before, as in the first step of a canvas.

    With ``canvas=None, step=0`` for a whole run. The first step of a canvas has none, so there nothing changes.

    Attributes
    ----------
    steps
        For how many steps; None for the rest of the canvas.
    """

    steps: int | None = None

    every_canvas: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "steps", number_of_steps(self.steps))

    @property
    def lasts(self) -> int | None:
        """As many steps as were asked for."""
        return self.steps

    def action(self) -> str:
        """In words."""
        return "drop the self-conditioning"


@dataclass(frozen=True)
class ChangeParameters(Intervention):
    """Run on with other parameters, from a step until the end of the RUN; later canvases have them from their start.

    Which ones can be changed while a loop runs depends on the sampler:
    :attr:`dgemma_viz.labs.samplers.sampler.Sampler.changeable`. A schedule goes on where it is: the new temperature is
    what the step would have had if the run had begun with these parameters.

    Attributes
    ----------
    values
        Parameter name to value, as in :data:`~dgemma_viz.labs.samplers.SAMPLERS`.
    """

    values: Mapping[str, Any]
    sample: None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.values, Mapping) or not self.values:
            raise SettingError("ChangeParameters needs a mapping from parameter to value, with at least one")
        object.__setattr__(self, "values", MappingProxyType({str(name): v for name, v in self.values.items()}))

    @property
    def lasts(self) -> None:
        """The rest of the run."""

    def holds(self, canvas: int, step: int) -> bool:
        """From its place to the end of the run."""
        return (canvas, step) >= self.begins

    def action(self) -> str:
        """In words."""
        return "run on with " + ", ".join(f"{name} {_shown(value)}" for name, value in self.values.items())


def _shown(value: Any) -> str:
    return "off" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
