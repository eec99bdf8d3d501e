"""The parts of an :class:`~dgemma_viz.trace.inside.model.Inside`: arrays of one kind, read-only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.inside.schema import ATTENTION, EXPERTS, LENS, SELF_CONDITIONING, VARIANTS
from dgemma_viz.trace.schema import ArraySpec

Array = npt.NDArray[Any]


def set_arrays(owner: Any, specs: Mapping[str, ArraySpec], sizes: dict[str, int], what: str) -> None:
    """Make the arrays of a frozen dataclass those of its specs: dtype, axes, read-only.

    Parameters
    ----------
    owner
        With an attribute for each spec.
    specs
        Of its arrays.
    sizes
        Of axes that are known; those that the arrays have besides are added.
    what
        The owner, for messages.

    Raises
    ------
    TraceError
        An array has other axes, or one of another length than elsewhere.
    """
    for name, spec in specs.items():
        given = getattr(owner, name)
        array = np.ascontiguousarray(given, dtype=spec.dtype)
        if array is given and array.flags.writeable:
            array = array.copy()
        if array.ndim != len(spec.axes):
            raise TraceError(f"array '{what}.{name}' has {array.ndim} axes, expected {len(spec.axes)} ({spec.axes})")
        for axis, size in zip(spec.axes, array.shape, strict=True):
            if sizes.setdefault(axis, size) != size:
                raise TraceError(f"array '{what}.{name}' has {axis}={size}, where {axis}={sizes[axis]} is expected")
        array.flags.writeable = False
        object.__setattr__(owner, name, array)


@dataclass(frozen=True, eq=False)
class Part:
    """Arrays of one kind."""

    SPECS: ClassVar[Mapping[str, ArraySpec]]

    def checked(self, name: str, sizes: dict[str, int]) -> None:
        """Settle the arrays; see :func:`set_arrays`."""
        set_arrays(self, self.SPECS, sizes, name)

    def arrays(self) -> dict[str, Array]:
        """By name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, eq=False)
class Lens(Part):
    """What the head says of each depth; shapes in :data:`~dgemma_viz.trace.inside.schema.LENS`."""

    SPECS = LENS

    depth: Array
    ids: Array
    probability: Array
    entropy: Array
    divergence: Array

    @property
    def draft(self) -> Array:
        """Most probable token at each depth: int ``(D, C)``."""
        best: Array = self.ids[:, :, 0]
        return best

    @property
    def stands_from(self) -> Array:
        """Depth from which the last depth's draft stands without a break: int ``(C,)`` (derived)."""
        other = self.draft != self.draft[-1]
        last_other = len(other) - np.argmax(other[::-1], axis=0)  # one behind the last depth with another draft
        places = np.where(other.any(axis=0), last_other, 0)
        depths: Array = self.depth[places]
        return depths


@dataclass(frozen=True, eq=False)
class Attention(Part):
    """Who reads whom; shapes in :data:`~dgemma_viz.trace.inside.schema.ATTENTION`."""

    SPECS = ATTENTION

    layer: Array
    head: Array
    first_key: Array
    weight: Array


@dataclass(frozen=True, eq=False)
class Experts(Part):
    """Which experts each position went through; shapes in :data:`~dgemma_viz.trace.inside.schema.EXPERTS`."""

    SPECS = EXPERTS

    layer: Array
    chosen: Array
    weight: Array
    entropy: Array


@dataclass(frozen=True, eq=False)
class SelfConditioning(Part):
    """What the step before handed over; shapes in :data:`~dgemma_viz.trace.inside.schema.SELF_CONDITIONING`."""

    SPECS = SELF_CONDITIONING

    entropy: Array
    ids: Array
    probability: Array


@dataclass(frozen=True, eq=False)
class Variants(Part):
    """The same pass with something changed; shapes in :data:`~dgemma_viz.trace.inside.schema.VARIANTS`.

    What was changed stands, in the same order, in :attr:`~dgemma_viz.trace.inside.facts.InsideFacts.variants`.
    """

    SPECS = VARIANTS

    draft: Array
    confidence: Array
    entropy: Array
    divergence: Array


PART_CLASSES: Mapping[str, type[Part]] = {
    "lens": Lens,
    "encoder_lens": Lens,
    "attention": Attention,
    "experts": Experts,
    "self_conditioning": SelfConditioning,
    "variants": Variants,
}
"""Class of each part of :data:`~dgemma_viz.trace.inside.schema.PARTS`."""
