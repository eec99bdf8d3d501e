"""One parameter of a sampler: what it is called, what it may be, and what it means. Controls are built from this."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from dgemma_viz.errors import SettingError


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
                raise SettingError(f"{self.name} cannot be {value!r}; choose one of {', '.join(self.choices)}")
            return str(value)
        number = _number(value)
        if number is None or (self.kind == "whole" and number != int(number)):
            kind = "a whole number" if self.kind == "whole" else "a number"
            raise SettingError(f"{self.name} must be {kind}{' or None' if self.optional else ''}, not {value!r}")
        if not self.least <= number <= self.most:
            most = f" to {self.most:g}" if math.isfinite(self.most) else " or more"
            unit = f" {self.unit}" if self.unit else ""
            raise SettingError(f"{self.name} of {number:g} is out of range; choose {self.least:g}{most}{unit}")
        return int(number) if self.kind == "whole" else number


def _number(value: Any) -> float | None:
    """A finite number, or None for anything else; numpy's numbers count, booleans and text do not."""
    if isinstance(value, bool | str | bytes):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
