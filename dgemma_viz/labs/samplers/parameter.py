"""One parameter of a sampler: what it is called, what it may be, and what it means. Controls are built from this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range


@dataclass(frozen=True)
class Parameter:
    """A number or a choice.

    Attributes
    ----------
    name
        As in code and in ``trace.facts.settings``.
    label
        A few words, as on screen.
    meaning
        One sentence.
    default
        Of the library, or of the released checkpoint where that sets one.
    kind
        Whole number, number, or one of :attr:`choices`.
    unit
        Of the value; empty for counts and shares.
    least, most
        Smallest and largest value.
    log
        Worth choosing on a logarithmic scale.
    optional
        None is allowed, and switches off what the parameter rules.
    choices
        Of a choice.
    """

    name: str
    label: str
    meaning: str
    default: float | str | None
    kind: Literal["whole", "number", "choice"] = "number"
    unit: str = ""
    least: float = 0.0
    most: float = math.inf
    log: bool = False
    optional: bool = False
    choices: tuple[str, ...] = ()

    @property
    def in_messages(self) -> str:
        """What messages call it: first as on screen, where a reader looks for the field, then as in code."""
        return f"{self.label}: {self.name}"

    def checked(self, value: Any) -> float | int | str | None:
        """The value, as the type that the sampler wants.

        Raises
        ------
        SettingError
            It is of another type, or out of range; the message says what is possible.
        """
        if value is None and self.optional:
            return None
        if self.kind == "choice":
            if value not in self.choices:
                raise SettingError(f"{self.in_messages} cannot be {value!r}; choose one of {', '.join(self.choices)}")
            return str(value)
        unit = f"{self.unit} or None".strip() if self.optional else self.unit
        if self.kind == "whole":
            return checked_range(self.in_messages, value, self.least, self.most, whole=True, unit=unit)
        return checked_range(self.in_messages, value, self.least, self.most, unit=unit)
