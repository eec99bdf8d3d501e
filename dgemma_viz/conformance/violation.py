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
    """A :class:`Breach` with its rule, trace, canvas and sample; other fields as there.

    Attributes
    ----------
    trace, trace_name
        Index of the trace among those checked, and what to call it; an empty name where there is but one.
    """

    rule: str
    canvas: int
    step: int | None
    sample: int
    position: int | None
    found: str
    expected: str
    message: str
    places: int = 1
    trace: int = 0
    trace_name: str = ""

    @property
    def where(self) -> str:
        """``canvas 0, step 3, sample 0, position 7``; of several traces also which."""
        parts = [("canvas", self.canvas), ("step", self.step), ("sample", self.sample), ("position", self.position)]
        place = ", ".join(f"{name} {value}" for name, value in parts if value is not None)
        return f"{self.trace_name}, {place}" if self.trace_name else place
