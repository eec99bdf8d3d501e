"""What is kept of a pass: parts, layers, heads, and how many alternatives; and the memory that it will take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.models import memory_here
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.inside.parts import PART_CLASSES
from dgemma_viz.trace.interventions.intervention import Intervention, whole_numbers

if TYPE_CHECKING:
    from dgemma_viz.labs.inside.anatomy import Anatomy

_GIGA = 1e9


@dataclass(frozen=True)
class Kept:
    """What to keep.

    Attributes
    ----------
    parts
        Of :data:`~dgemma_viz.trace.inside.schema.PARTS`; what a pass does not have is left out.
    layers
        Whose attention and experts, and after which the lens; None for all. The lens always has the last one.
    heads
        ``"mean"``: averaged over all; ``"each"``; or numbers of heads.
    top_k
        Alternatives of the lens.
    mixed
        Tokens of the self-conditioning.
    variants
        Interventions that hold in the step, each tried on the pass by itself; None for: no self-conditioning, only its
        best token, only its best four.

    Raises
    ------
    SettingError
        On construction, for what can be judged without a model.
    """

    parts: Sequence[str] = tuple(PART_CLASSES)
    layers: Sequence[int] | None = None
    heads: str | Sequence[int] = "mean"
    top_k: int = 3
    mixed: int = 8
    variants: Sequence[Intervention] | None = None

    def __post_init__(self) -> None:
        listed = isinstance(self.parts, Iterable) and not isinstance(self.parts, str)
        if wrong := [one for one in self.parts if one not in PART_CLASSES] if listed else [self.parts]:
            raise SettingError(f"parts are a list of some of {', '.join(PART_CLASSES)}, not {wrong[0]!r:.60}")
        if self.layers is not None:
            object.__setattr__(self, "layers", tuple(sorted(whole_numbers(self.layers, "layers"))))
        if not isinstance(self.heads, str):
            object.__setattr__(self, "heads", tuple(sorted(whole_numbers(self.heads, "heads"))))
        elif self.heads not in ("mean", "each"):
            raise SettingError(f"heads are 'mean', 'each' or a list of numbers, not {self.heads!r:.40}")
        for name in ("top_k", "mixed"):
            checked_range(name, getattr(self, name), 1, whole=True)
        if self.variants is not None:
            if isinstance(self.variants, str) or not isinstance(self.variants, Iterable):
                raise SettingError("variants are a list of interventions, even of one")
            object.__setattr__(self, "variants", tuple(self.variants))

    def layers_of(self, anatomy: Anatomy) -> tuple[int, ...]:
        """The layers of a model that are looked at.

        Raises
        ------
        SettingError
            It does not have one of them.
        """
        there = len(anatomy.layers)
        layers = tuple(range(there)) if self.layers is None else tuple(self.layers)
        if layers[-1] >= there:
            raise SettingError(f"there is no layer {layers[-1]}: the model has {there}, counted from 0")
        return layers

    def heads_of(self, anatomy: Anatomy) -> tuple[int, ...]:
        """The heads that are kept one by one; empty where they are averaged.

        Raises
        ------
        SettingError
            The model does not have one of them.
        """
        there = int(anatomy.config.num_attention_heads)
        if isinstance(self.heads, str):
            return tuple(range(there)) if self.heads == "each" else ()
        if self.heads[-1] >= there:
            raise SettingError(f"there is no head {self.heads[-1]}: each layer has {there}, counted from 0")
        return tuple(self.heads)


def kept_or_all(kept: Kept | None) -> Kept:
    """What to keep; all parts for None.

    Raises
    ------
    SettingError
        It is no :class:`Kept`.
    """
    if kept is not None and not isinstance(kept, Kept):
        raise SettingError(f"kept must be a Kept, like Kept(['lens']), not {kept!r:.60}")
    return kept or Kept()


def check_memory(kept: Kept, anatomy: Anatomy, batch: int, positions: int, context: int) -> None:
    """Judge what looking will take besides the pass itself, before anything runs (calculated).

    Hidden states of each depth, logits of a few positions at a time, the variants' logits, and the attention.

    Raises
    ------
    SettingError
        It is more than there is; the message says what to leave out.
    """
    layers, width = len(kept.layers_of(anatomy)), int(anatomy.config.hidden_size)
    heads = len(kept.heads_of(anatomy)) or 1
    rows = positions + (context if "encoder_lens" in kept.parts else 0)
    bytes_needed = {
        "lens": 4 * (layers + 2) * rows * width + 4 * _CHUNKS * anatomy.vocabulary,
        "attention": 2 * layers * heads * positions * (positions + context)
        + 8 * int(anatomy.config.num_attention_heads) * positions * (positions + context),
        "variants": 8 * batch * positions * anatomy.vocabulary,
    }
    needed = {part: size for part, size in bytes_needed.items() if part in kept.parts}
    total, there = sum(needed.values()) / _GIGA, memory_here()
    if total > there:
        most = max(needed, key=lambda part: needed[part])
        raise SettingError(
            f"looking inside takes about {total:.1f} GB besides the pass itself, and there are {there:.1f}. "
            f"Most of it is for '{most}': leave it out (Kept(parts=...)), or look at fewer layers or heads"
        )


_CHUNKS = 4 * 64
"""Rows of logits in float32 at a time, and copies of them."""
