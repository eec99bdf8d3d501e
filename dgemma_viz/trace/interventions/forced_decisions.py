"""Interventions in what a step decides: positions that the sampler must accept, or re-noise, whatever it would do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.interventions.intervention import Intervention, whole_numbers
from dgemma_viz.trace.interventions.tokens_read import at_positions


@dataclass(frozen=True)
class ForcedDecision(Intervention):
    """Positions, and for how many steps (None: the rest of the canvas)."""

    positions: Sequence[int]
    steps: int | None = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "positions", whole_numbers(self.positions, "positions"))
        object.__setattr__(self, "steps", number_of_steps(self.steps))

    @property
    def lasts(self) -> int | None:
        """As many steps as were asked for."""
        return self.steps

    def positions_named(self) -> tuple[int, ...]:
        """The positions."""
        return tuple(self.positions)


@dataclass(frozen=True)
class ForceAccept(ForcedDecision):
    """Put the step's candidates into the canvas at these positions, however uncertain they are.

    A sampler whose commits are sticky is committed to them then. The positions do not count against an entropy bound:
    what the sampler accepts by itself stays accepted.
    """

    def action(self) -> str:
        """In words."""
        return f"force to accept {at_positions(self.positions)}"


@dataclass(frozen=True)
class ForceRenoise(ForcedDecision):
    """Put noise at these positions, however certain they are.

    transformers' sampler draws a random token for every position in each step, and these are used. diffusers'
    schedulers do not tell theirs, so the noise is drawn by a generator of its own. A sampler whose commits are sticky
    forgets those at these positions. What ``generate()`` emits is the draft, so there nothing comes of it in the last
    step of a canvas; diffusers' pipeline emits the canvas with its noise.
    """

    def action(self) -> str:
        """In words."""
        return f"force to re-noise {at_positions(self.positions)}"


def number_of_steps(steps: int | None) -> int | None:
    """For how many steps something holds: 1 or more, or None for the rest of the canvas.

    Raises
    ------
    SettingError
        It is neither.
    """
    rest = "or None for the rest of the canvas"
    return None if steps is None else checked_range("steps", steps, 1, whole=True, unit=rest)
