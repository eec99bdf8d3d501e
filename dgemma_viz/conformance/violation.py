"""One broken rule: where first, what stands there, and what the reference rule gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Breach:
    """The first place in one canvas of one sample that breaks a rule.

    Attributes
    ----------
    step
        Denoising step in the canvas, or None for the canvas as a whole.
    position
        Position, or None for the step as a whole.
    found, expected
        What stands there and what the rule gives, as short texts.
    message
        One sentence.
    places
        Steps and positions of this canvas that break the rule, this one included.
    """

    step: int | None
    position: int | None
    found: str
    expected: str
    message: str
    places: int = 1


@dataclass(frozen=True)
class Violation:
    """A :class:`Breach` with its rule, canvas and sample; fields as there."""

    rule: str
    canvas: int
    step: int | None
    sample: int
    position: int | None
    found: str
    expected: str
    message: str
    places: int = 1

    @property
    def where(self) -> str:
        """``canvas 0, step 3, sample 0, position 7``."""
        parts = [("canvas", self.canvas), ("step", self.step), ("sample", self.sample), ("position", self.position)]
        return ", ".join(f"{name} {value}" for name, value in parts if value is not None)
