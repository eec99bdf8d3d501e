"""Interventions inside a pass: what a module gives is replaced at some positions, or a vector is added to it.

The numbers stand in the intervention, and a trace keeps them with it (float32), so such a run can be repeated too.
"""

from __future__ import annotations

import base64
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.interventions.forced_decisions import number_of_steps
from dgemma_viz.trace.interventions.intervention import Intervention, whole_numbers
from dgemma_viz.trace.interventions.tokens_read import at_positions

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class ChangedActivation(Intervention):
    """Changes the output of a module in a decoder pass.

    Attributes
    ----------
    module
        Its name, as ``model.named_modules()`` gives it; a number stands for that layer of the decoder.
    positions
        On the canvas; None for all.
    steps
        For how many steps; None for the rest of the canvas.
    """

    module: str | int
    positions: Sequence[int] | None = field(default=None, kw_only=True)
    steps: int | None = field(default=1, kw_only=True)

    every_canvas: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.module, str):
            layer = checked_range("a layer", self.module, whole=True)
            object.__setattr__(self, "module", f"model.decoder.layers.{layer}")
        if self.positions is not None:
            object.__setattr__(self, "positions", whole_numbers(self.positions, "positions"))
        object.__setattr__(self, "steps", number_of_steps(self.steps))

    @property
    def lasts(self) -> int | None:
        """As many steps as were asked for."""
        return self.steps

    def positions_named(self) -> tuple[int, ...]:
        """Positions, if they were named."""
        return () if self.positions is None else tuple(self.positions)

    @property
    def where(self) -> str:
        """Module and positions, in words."""
        return f"{self.module} at {at_positions(self.positions) if self.positions is not None else 'all positions'}"

    @abstractmethod
    def changed(self, given: Array) -> Array:
        """What the module gives instead.

        Parameters
        ----------
        given
            What it gave at these positions: float32 ``(B, n, width)``.

        Raises
        ------
        SettingError
            The numbers are of another width, or for another number of positions.
        """


@dataclass(frozen=True, eq=False)
class PatchActivation(ChangedActivation):
    """Put recorded activations in place of what a module gives.

    Attributes
    ----------
    values
        Float ``(n, width)``, a row for each position; or ``(width,)``, the same for all. Those of another step, or of
        another run, are given by :func:`dgemma_viz.labs.inside.activations`.
    """

    values: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "values", numbers("values", self.values, 2))

    def changed(self, given: Array) -> Array:
        """The values."""
        check_width(self.module, self.values, given)
        return np.broadcast_to(self.values, given.shape)

    def action(self) -> str:
        """In words."""
        return f"put recorded activations in the place of {self.where}"


@dataclass(frozen=True, eq=False)
class AddVector(ChangedActivation):
    """Add a vector to what a module gives: steering.

    Attributes
    ----------
    vector
        Float ``(width,)``.
    scale
        Multiplies it.
    """

    vector: Any
    scale: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "vector", numbers("vector", self.vector, 1))
        object.__setattr__(self, "scale", checked_range("scale", self.scale, -np.inf))

    def changed(self, given: Array) -> Array:
        """With the vector added."""
        check_width(self.module, self.vector, given)
        total: Array = given + np.float32(self.scale) * self.vector
        return total

    def action(self) -> str:
        """In words."""
        length = float(np.linalg.norm(self.vector)) * abs(self.scale)
        return f"add a vector of length {length:.3g} to {self.where}"


def numbers(name: str, given: Any, most_axes: int) -> Array:
    """Finite numbers, float32, read-only: from an array, a tensor, lists, or the JSON form of one.

    Raises
    ------
    SettingError
        They are none, or of another shape.
    """
    if isinstance(given, Mapping):
        given = _from_json(name, given)
    if hasattr(given, "detach"):
        given = given.detach().cpu().float().numpy()
    try:
        array = np.array(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise SettingError(f"{name} are numbers, not {type(given).__name__} ({error!s:.80})") from error
    if not 1 <= array.ndim <= most_axes or not array.size or not np.isfinite(array).all():
        wanted = "(width,)" if most_axes == 1 else "(positions, width) or (width,)"
        raise SettingError(f"{name} must be finite numbers of shape {wanted}; these have shape {array.shape}")
    array.flags.writeable = False
    return array


def _from_json(name: str, given: Mapping[str, Any]) -> Array:
    try:
        return np.frombuffer(base64.b64decode(given["float32"], validate=True), "<f4").reshape(given["shape"])
    except (KeyError, TypeError, ValueError) as error:
        raise SettingError(f"{name} cannot be read from {str(given)!r:.80}: {error!s:.80}") from error


def check_width(module: str | int, values: Array, given: Array) -> None:
    """Raise SettingError if values do not fit what a module gives, ``(B, n, width)``."""
    if values.shape[-1] != given.shape[-1] or (values.ndim == 2 and len(values) not in (1, given.shape[1])):  # noqa: PLR2004
        raise SettingError(
            f"{module} gives {counted(given.shape[1], 'position')} of width {given.shape[-1]}; values of shape "
            f"{values.shape} do not fit"
        )
