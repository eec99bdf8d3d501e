"""What went on inside the model in one pass, as an immutable object of numpy arrays: an :class:`Inside`.

It stands beside a trace, of which it looks at one step, and is data like a trace: no torch, no drawing, no statistics
(those are in :mod:`dgemma_viz.analysis.inside`). Shapes, dtypes and meanings: :mod:`dgemma_viz.trace.inside.schema`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.trace.inside.facts import OF_THE_RUN, InsideFacts, Origin
from dgemma_viz.trace.inside.parts import (
    PART_CLASSES,
    Attention,
    Experts,
    Lens,
    Part,
    SelfConditioning,
    Variants,
    set_arrays,
)
from dgemma_viz.trace.inside.schema import OF_THE_PASS, TOKENS
from dgemma_viz.trace.token_texts import TokenTexts

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Inside:
    """One pass. Parts that were not asked for, or that the pass does not have, are None."""

    context: Array
    context_mask: Array
    noised: Array
    origin: Array
    draft: Array
    entropy: Array
    confidence: Array
    facts: InsideFacts = field(default_factory=InsideFacts)
    lens: Lens | None = None
    encoder_lens: Lens | None = None
    attention: Attention | None = None
    experts: Experts | None = None
    self_conditioning: SelfConditioning | None = None
    variants: Variants | None = None
    token_texts: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sizes: dict[str, int] = {}
        set_arrays(self, OF_THE_PASS, sizes, "inside")
        if not sizes["C"]:
            raise TraceError("an inside has at least one position (C)")
        if self.origin.max() > max(Origin):
            raise TraceError(f"array 'inside.origin' holds the code {self.origin.max()}; the last is {max(Origin)}")
        sizes["X"] = sizes["P"] + sizes["C"]
        for name, part in self.parts().items():
            known = {"C": sizes["P"]} if name == "encoder_lens" else {axis: sizes[axis] for axis in "CX"}
            part.checked(name, known)
            _check_part(name, part, self.facts)
        if not isinstance(self.token_texts, TokenTexts):
            object.__setattr__(self, "token_texts", TokenTexts(self.token_texts))

    @property
    def n_positions(self) -> int:
        """Positions that were looked at."""
        return len(self.noised)

    def parts(self) -> dict[str, Part]:
        """Those that are there, by name."""
        return {name: part for name in PART_CLASSES if (part := getattr(self, name)) is not None}

    def only(self, *parts: str) -> Self:
        """The same with these parts and no others: what is to be saved, for instance.

        Raises
        ------
        SettingError
            There is no such part.
        """
        if unknown := set(parts) - set(PART_CLASSES):
            raise SettingError(f"an inside has no part {min(unknown)!r}; it has {', '.join(PART_CLASSES)}")
        facts = self.facts if "variants" in parts else replace(self.facts, variants=())
        left_out: dict[str, Any] = {name: None for name in PART_CLASSES if name not in parts}
        return replace(self, facts=facts, **left_out)

    def belongs_to(self, trace: Trace) -> bool:
        """Whether it is of a step of this trace: the same run by its facts, and the same noised canvas there."""
        facts = self.facts
        if facts.canvas is None or dict(facts.trace) != {name: getattr(trace.facts, name) for name in OF_THE_RUN}:
            return False
        rows = np.flatnonzero((trace.canvas == facts.canvas) & (trace.step_in_canvas == facts.step))
        if not len(rows) or facts.sample >= trace.n_samples:
            return False
        length = int(trace.length[rows[0]])
        return np.array_equal(trace.noised[rows[0], facts.sample, :length], self.noised)

    def token_text(self, token_id: int) -> str:
        """Text of a token, ``⟨id⟩`` where there is none. NOT escaped."""
        return self.token_texts.get(int(token_id), f"⟨{int(token_id)}⟩")

    def ids_that_occur(self) -> Array:
        """All token ids in its arrays, ascending."""
        held = [getattr(self, name) for name in OF_THE_PASS if name in TOKENS]
        for part in self.parts().values():
            held += [array for name, array in part.arrays().items() if name in TOKENS]
        return np.unique(np.concatenate([array.reshape(-1) for array in held]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a ``.safetensors`` file; see :func:`dgemma_viz.trace.inside.file.save_inside`."""
        from dgemma_viz.trace.inside.file import save_inside

        save_inside(self, path)

    def __repr__(self) -> str:
        where = "one pass" if self.facts.canvas is None else f"canvas {self.facts.canvas}, step {self.facts.step}"
        return f"<Inside of {where}: {counted(self.n_positions, 'position')}, {', '.join(self.parts()) or 'no parts'}>"


def _check_part(name: str, part: Part, facts: InsideFacts) -> None:
    """What must hold of a part's values, so that views need not ask again.

    Raises
    ------
    TraceError
        Names the array and the rule.
    """
    for of in ("depth", "layer"):
        along = part.arrays().get(of)
        if along is not None and (not len(along) or along[0] < 0 or (np.diff(along) <= 0).any()):
            raise TraceError(f"array '{name}.{of}' must be there and ascend")
    for of in ("probability", "confidence"):
        values = part.arrays().get(of)
        if values is not None and values.size and not (np.nanmin(values) >= 0 and np.nanmax(values) <= 1 + 1e-3):
            raise TraceError(f"array '{name}.{of}' is a probability, but leaves the range from 0 to 1")
    if isinstance(part, Experts) and part.chosen.size and part.chosen.max() >= facts.experts:
        raise TraceError(f"array 'experts.chosen' names expert {part.chosen.max()} of {facts.experts}")
    if isinstance(part, Variants) and len(part.draft) != len(facts.variants):
        raise TraceError(f"'variants' holds {len(part.draft)} passes, but {len(facts.variants)} are told of")
