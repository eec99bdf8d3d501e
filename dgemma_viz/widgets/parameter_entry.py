"""One parameter, as the browser's native inputs are built from it."""

from __future__ import annotations

import math
from typing import Any

from dgemma_viz.labs.samplers import Parameter

_DECADES = 3
"""A logarithmic slider reaches so far to either side of the default."""


def usual_range(parameter: Parameter) -> tuple[float, float]:
    """First and last value of a parameter's slider: around its default, and never beyond what is allowed.

    The default of most parameters says how large they are: three decades to either side of a logarithmic one, four
    times it for the others, and at least up to 2 (16 for whole numbers).
    """
    default = parameter.default if isinstance(parameter.default, int | float) else 0.0
    if parameter.log and default > 0:
        low, high = default * 10.0**-_DECADES, default * 10.0**_DECADES
    else:
        low, high = parameter.least, max(4 * default, 16 if parameter.kind == "whole" else 2)
    return max(low, parameter.least), min(high, parameter.most)


def parameter_entry(parameter: Parameter, usual: tuple[float, float] | None = None) -> dict[str, Any]:
    """What ``parameter_input.js`` is told of a parameter.

    Parameters
    ----------
    usual
        First and last value of its slider; default :func:`usual_range`.
    """
    names = ("name", "label", "meaning", "unit", "kind", "default", "least", "log", "optional")
    low, high = usual or usual_range(parameter)
    start = parameter.default if parameter.default is not None else (low + high) / 2
    return {name: getattr(parameter, name) for name in names} | {
        "choices": list(parameter.choices),
        "most": parameter.most if math.isfinite(parameter.most) else None,
        "from": low,
        "to": high,
        "start": start,
    }
