"""Numbers that a cost can be computed from; everything else is refused with a clear error."""

from __future__ import annotations

import math
from typing import Any

from dgemma_viz.errors import SettingError


def positive(what: str, value: Any) -> float:
    """A finite number above 0.

    Raises
    ------
    SettingError
        It is none.
    """
    number = _number(what, value)
    if number <= 0:
        raise SettingError(f"{what} of {number:g} is impossible; give a number above 0")
    return number


def at_least_zero(what: str, value: Any) -> float:
    """A finite number of 0 or more.

    Raises
    ------
    SettingError
        It is none.
    """
    number = _number(what, value)
    if number < 0:
        raise SettingError(f"{what} of {number:g} is impossible; give 0 or more")
    return number


def fraction(what: str, value: Any) -> float:
    """A number from 0 to 1.

    Raises
    ------
    SettingError
        It is none.
    """
    number = _number(what, value)
    if not 0 <= number <= 1:
        raise SettingError(f"{what} of {number:g} is impossible; give a fraction from 0 to 1")
    return number


def whole(what: str, value: Any, least: int = 1) -> int:
    """A whole number.

    Raises
    ------
    SettingError
        It is none, or below the least.
    """
    number = _number(what, value)
    if number != int(number) or number < least:
        raise SettingError(f"{what} must be a whole number of {least} or more, not {value!r}")
    return int(number)


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool | str | bytes) or not hasattr(value, "__float__") or not math.isfinite(float(value)):
        raise SettingError(f"{what} must be a finite number, not {value!r}")
    return float(value)
