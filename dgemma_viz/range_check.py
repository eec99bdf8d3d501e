"""A number that somebody gave must lie in its range; everything else is refused with a clear error."""

from __future__ import annotations

import math
import operator
from typing import Any, Literal, overload

from dgemma_viz.errors import SettingError

Ends = Literal["[]", "(]", "()"]
"""Which ends belong to a range, as intervals are written: ``"(]"`` leaves the least out."""


@overload
def checked_range(
    name: str, value: Any, least: float = ..., most: float = ..., *, whole: Literal[True], unit: str = ...
) -> int: ...


@overload
def checked_range(
    name: str, value: Any, least: float = ..., most: float = ..., *, ends: Ends = ..., unit: str = ...
) -> float: ...


def checked_range(
    name: str,
    value: Any,
    least: float = 0,
    most: float = math.inf,
    *,
    whole: bool = False,
    ends: Ends = "[]",
    unit: str = "",
) -> float:
    """The number as an int where it must be ``whole``, else as a float.

    Parameters
    ----------
    name
        What the number is, for the message: "top_k", "a confidence level".
    value
        Of any type of numbers. Booleans, text, NaN and infinity are none.
    least, most, ends
        The range.
    unit
        Words behind the range in the message: "nats", "or None for all".

    Raises
    ------
    SettingError
        It is no such number, or outside the range; the message says what is possible.
    """
    number = _number(value, whole)
    if number is None:
        raise SettingError(f"{name} must be a {'whole' if whole else 'finite'} number, not {value!r:.200}")
    above = number > least if ends[0] == "(" else number >= least
    below = number < most if ends[1] == ")" else number <= most
    if not (above and below):
        possible = f"{_range_text(least, most, ends)} {unit}".rstrip()
        raise SettingError(f"{name} of {_text(number)} is out of range; choose {possible}")
    return number


def _number(value: Any, whole: bool) -> float | None:
    if isinstance(value, bool | str | bytes):
        return None
    try:
        if whole and hasattr(value, "__index__"):  # floats hold no larger one exactly
            return operator.index(value)
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number


def _range_text(least: float, most: float, ends: Ends) -> str:
    if math.isinf(most):
        return f"above {_text(least)}" if ends[0] == "(" else f"{_text(least)} or more"
    if ends == "[]":
        return f"{_text(least)} to {_text(most)}"
    return f"above {_text(least)} and {'up to' if ends[1] == ']' else 'below'} {_text(most)}"


def _text(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
