"""Numbers of the inside of a pass: whom each layer reads, how experts share the canvas, what a depth knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import SettingError
from dgemma_viz.trace.inside import Experts, Inside, Lens, Origin

Array = npt.NDArray[Any]

SOURCES = ("context", "accepted", "re-noised", "noise", "given")
"""What a position can read: tokens in front of the canvas, and positions by what the pass found there."""
ORIGINS = {"accepted": Origin.ACCEPTED, "re-noised": Origin.RENOISED, "noise": Origin.NOISE, "given": Origin.GIVEN}
"""What the pass found at a position, in a word."""


@dataclass(frozen=True, eq=False)
class SourcesRead:
    """How much is read from what.

    Attributes
    ----------
    share
        Of its attention that a position spends on each of :data:`SOURCES`: ``(L, H, C, 5)``; adds up to 1.
    tokens
        Tokens of each source that can be read (padding left out): int ``(5,)``. Were all read alike, a source's share
        would be that of its tokens.
    """

    share: Array
    tokens: Array

    def by_layer(self, readers: Array | None = None) -> Array:
        """Mean over heads and positions: ``(L, 5)``; over the positions where ``readers``, bool ``(C,)``, is true."""
        chosen = self.share if readers is None else self.share[:, :, readers]
        mean: Array = chosen.mean(axis=(1, 2)) if chosen.shape[2] else np.full((len(chosen), len(SOURCES)), np.nan)
        return mean


def sources_read(inside: Inside) -> SourcesRead:
    """Whom each position reads, by what stands there.

    Raises
    ------
    SettingError
        The inside holds no attention.
    """
    attention = part_of(inside, "attention")
    weight = attention.weight.astype(np.float32)
    n_context = len(inside.context)
    members = {"context": np.concatenate([inside.context_mask, np.zeros(inside.n_positions, dtype=bool)])}
    for name, code in ORIGINS.items():
        members[name] = np.concatenate([np.zeros(n_context, dtype=bool), inside.origin == code])
    share = np.stack([weight[..., members[name]].sum(axis=-1) for name in SOURCES], axis=-1)
    return SourcesRead(share, np.array([members[name].sum() for name in SOURCES]))


def expert_load(experts: Experts, n_experts: int) -> Array:
    """Positions that went through each expert: int ``(L, E)``."""
    load: Array = np.stack([np.bincount(layer.ravel(), minlength=n_experts) for layer in experts.chosen])
    return load


def distinct_experts(experts: Experts) -> Array:
    """Experts of each layer that any position went through: int ``(L,)``. What a pass must read of the weights."""
    return np.array([len(np.unique(layer)) for layer in experts.chosen])


def expert_overlap(experts: Experts) -> Array:
    """Mean share of its experts that a position has in common with another: ``(L,)``; NaN for a single position."""
    layers, positions, active = experts.chosen.shape
    if positions < 2:  # noqa: PLR2004 - pairs
        return np.full(layers, np.nan)
    load = expert_load(experts, int(experts.chosen.max()) + 1).astype(float)
    shared: Array = (load * (load - 1)).sum(axis=1) / (positions * (positions - 1) * active)
    return shared


def known_at(lens: Lens, tokens: Array) -> tuple[Array, Array]:
    """Whether each depth's best token is that of ``tokens`` ``(C,)``, bool ``(D, C)``; and its probability there.

    The probability is NaN where the token is not among the alternatives that were kept.
    """
    hit = lens.ids == np.asarray(tokens)[None, :, None]
    probability = np.where(hit, lens.probability.astype(np.float32), 0).sum(axis=2)
    known: Array = hit[:, :, 0]
    return known, np.where(hit.any(axis=2), probability, np.nan)


def part_of(inside: Inside, name: str) -> Any:
    """A part of an inside that must be there.

    Raises
    ------
    SettingError
        It is not.
    """
    part = getattr(inside, name)
    if part is None:
        raise SettingError(f"this inside holds no {name}: take it with Kept(parts=[..., {name!r}])")
    return part
