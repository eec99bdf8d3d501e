"""Interventions in the conditions of a run: what the model is told of its last step, and the sampler's parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.interventions.forced_decisions import number_of_steps
from dgemma_viz.trace.interventions.intervention import Intervention, Token, checked_token, token_in_words


@dataclass(frozen=True)
class SelfConditioned(Intervention):
    """Changes what the decoder is told of the step before.

    With ``canvas=None, step=0`` for a whole run. The first step of a canvas is told nothing, so there nothing changes.

    Attributes
    ----------
    steps
        For how many steps; None for the rest of the canvas.
    """

    steps: int | None = field(default=None, kw_only=True)

    every_canvas: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "steps", number_of_steps(self.steps))

    @property
    def lasts(self) -> int | None:
        """As many steps as were asked for."""
        return self.steps


@dataclass(frozen=True)
class DropSelfConditioning(SelfConditioned):
    """Withhold from the decoder what it predicted in the step before, as in the first step of a canvas."""

    steps: int | None = None

    def action(self) -> str:
        """In words."""
        return "drop the self-conditioning"


@dataclass(frozen=True)
class CutSelfConditioning(SelfConditioned):
    """Tell the decoder only the most probable tokens of each position, their probabilities scaled up to 1.

    Attributes
    ----------
    k
        How many tokens stay.
    """

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "k", checked_range("k", self.k, 1, whole=True, unit="tokens that stay"))

    def action(self) -> str:
        """In words."""
        return f"cut the self-conditioning to the best {'token' if self.k == 1 else f'{self.k} tokens'}"


@dataclass(frozen=True)
class InjectMass(SelfConditioned):
    """Give one token more or less of the probability that the decoder is told of at a position.

    It is done after any cut, so a token that was cut away can be brought back.

    Attributes
    ----------
    position
        On the canvas.
    token
        Id, or the text of one token.
    mass
        From 0 to 1: this share goes to the token, and all that was there shrinks in proportion. From -1 to 0: the token
        loses this share of what it had, -1 all of it, and the others grow in proportion; a token that holds everything
        keeps it.
    """

    position: int
    token: Token
    mass: float
    steps: int | None = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "position", checked_range("position", self.position, whole=True))
        object.__setattr__(self, "token", checked_token(self.token))
        object.__setattr__(self, "mass", checked_range("mass", self.mass, -1, 1))

    def positions_named(self) -> tuple[int, ...]:
        """The position."""
        return (self.position,)

    def with_tokens(self, token_of: Callable[[Token], Token]) -> Self:
        """With its token in another form."""
        return replace(self, token=token_of(self.token))

    def action(self) -> str:
        """In words."""
        token = token_in_words(self.token)
        change = f"give {token} {self.mass:.0%} of" if self.mass >= 0 else f"take {-self.mass:.0%} of {token} from"
        return f"{change} the self-conditioning at position {self.position}"


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
