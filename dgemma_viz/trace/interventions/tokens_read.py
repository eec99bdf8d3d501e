"""Interventions in what a step reads: a token pinned, tokens replaced, noise added.

They write into the noised canvas before the decoder reads it; where several do, noise comes first and a pin last.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

import numpy as np

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.interventions.intervention import (
    Intervention,
    Token,
    checked_token,
    token_in_words,
    whole_numbers,
)


@dataclass(frozen=True)
class TokensRead(Intervention):
    """Writes tokens into the canvas that a step reads."""

    @abstractmethod
    def tokens_for(self, canvas: int, sample: int, length: int, vocabulary: int) -> dict[int, int]:
        """Id by position for one sample's canvas of a length; tokens must be ids by now."""


@dataclass(frozen=True)
class Pin(TokensRead):
    """Hold one token at a position for the rest of the canvas.

    Each step from ``step`` on reads the token there, and the distribution from which the sampler draws gives it
    probability 1, after all logits processors: so it is the candidate and the draft, its entropy is 0, and it is
    emitted. The sampler decides by itself: one that goes by entropy or confidence accepts it, one that re-noises at
    random (DDIM) may put noise there, until the next step reads the pinned token again.
    """

    position: int
    token: Token

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "position", checked_range("position", self.position, whole=True))
        object.__setattr__(self, "token", checked_token(self.token))

    @property
    def lasts(self) -> None:
        """The rest of the canvas."""

    def positions_named(self) -> tuple[int, ...]:
        """The position."""
        return (self.position,)

    def with_tokens(self, token_of: Callable[[Token], Token]) -> Self:
        """With its token in another form."""
        return replace(self, token=token_of(self.token))

    def tokens_for(self, canvas: int, sample: int, length: int, vocabulary: int) -> dict[int, int]:
        """The pinned one."""
        del canvas, sample, length, vocabulary
        return {self.position: int(self.token)}

    def action(self) -> str:
        """In words."""
        return f"pin {token_in_words(self.token)} to position {self.position}"


@dataclass(frozen=True)
class Replace(TokensRead):
    """Let one step read other tokens: position to token. What becomes of them then is the sampler's business.

    A token that is replaced where a sticky sampler has committed stays committed.
    """

    tokens: Mapping[int, Token]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.tokens, Mapping) or not self.tokens:
            raise SettingError("Replace needs a mapping from position to token, with at least one")
        try:
            given = {int(position) if isinstance(position, str) else position: t for position, t in self.tokens.items()}
        except ValueError:
            raise SettingError(f"Replace names the positions {list(self.tokens)}; they must be whole numbers") from None
        tokens = {
            checked_range("position", position, whole=True): checked_token(token) for position, token in given.items()
        }
        object.__setattr__(self, "tokens", MappingProxyType(tokens))

    @property
    def lasts(self) -> int:
        """One step."""
        return 1

    def positions_named(self) -> tuple[int, ...]:
        """Positions that are replaced."""
        return tuple(self.tokens)

    def with_tokens(self, token_of: Callable[[Token], Token]) -> Self:
        """With its tokens in another form."""
        return replace(self, tokens={position: token_of(token) for position, token in self.tokens.items()})

    def tokens_for(self, canvas: int, sample: int, length: int, vocabulary: int) -> dict[int, int]:
        """The replaced ones."""
        del canvas, sample, length, vocabulary
        return {position: int(token) for position, token in self.tokens.items()}

    def action(self) -> str:
        """In words."""
        return "read " + ", ".join(
            f"{token_in_words(token)} at position {place}" for place, token in self.tokens.items()
        )


@dataclass(frozen=True)
class AddNoise(TokensRead):
    """Let one step read uniformly random tokens at some positions.

    Positions and tokens come from a generator of their own, so the run's random numbers are untouched.

    Attributes
    ----------
    where
        Positions, or the fraction of the canvas (above 0, at most 1) that is chosen at random in each sample.
    seed
        Of positions and tokens.
    """

    where: float | Sequence[int]
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "seed", checked_range("seed", self.seed, whole=True))
        if isinstance(self.where, float):
            checked_range("a fraction", self.where, 0, 1, ends="(]")
            return
        if isinstance(self.where, int):
            raise SettingError(
                f"AddNoise({self.where}) is ambiguous: give a list of positions, or a fraction like 0.25"
            )
        object.__setattr__(self, "where", whole_numbers(self.where, "positions"))

    @property
    def lasts(self) -> int:
        """One step."""
        return 1

    def positions_named(self) -> tuple[int, ...]:
        """Positions, if they were named."""
        return () if isinstance(self.where, float) else tuple(self.where)

    def tokens_for(self, canvas: int, sample: int, length: int, vocabulary: int) -> dict[int, int]:
        """Random token by position; the same for the same place and seed."""
        random = np.random.default_rng([self.seed, canvas, self.step, sample])
        if isinstance(self.where, float):
            chosen = np.sort(random.permutation(length)[: max(1, round(self.where * length))])
        else:
            chosen = np.array(self.where, dtype=np.int64)
        return dict(zip(chosen.tolist(), random.integers(0, vocabulary, len(chosen)).tolist(), strict=True))

    def action(self) -> str:
        """In words."""
        if isinstance(self.where, float):
            return f"add noise at {self.where:.0%} of the positions"
        return f"add noise at {at_positions(self.where)}"


def at_positions(positions: Sequence[int]) -> str:
    """``position 3`` or ``positions 3, 5``."""
    return f"position{'' if len(positions) == 1 else 's'} {', '.join(map(str, positions))}"
