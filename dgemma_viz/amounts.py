"""Numbers with what they count or measure, in words that agree with them."""

from __future__ import annotations

_SHORTEST_WORD = 4
"""Letters; what is shorter is no word but a sign, such as ms."""


def nats(value: float, digits: int = 3) -> str:
    """An entropy with its unit: ``"0.25 nats"``, ``"1 nat"``."""
    return measured(value, "nats", digits)


def counted(number: int, thing: str) -> str:
    """``"1 token"``, ``"2 tokens"``, ``"1,024 passes"``: a number and what it counts, named in the singular."""
    return f"{number:,} {thing if number == 1 else _several(thing)}"


def _several(thing: str) -> str:
    return f"{thing}es" if thing.endswith(("s", "x", "sh", "ch")) else f"{thing}s"


def measured(value: float, unit: str, digits: int = 4) -> str:
    """``"12 steps"``, ``"1 step"``, ``"50%"``: a number to so many digits, and its unit, which is plural if a word."""
    number = f"{value:.{digits}g}"
    if number == "1" and unit.isalpha() and unit.endswith("s") and len(unit) >= _SHORTEST_WORD:
        unit = unit.removesuffix("es") if _several(unit.removesuffix("es")) == unit else unit.removesuffix("s")
    return f"{number}{'' if unit == '%' else ' '}{unit}".rstrip()
