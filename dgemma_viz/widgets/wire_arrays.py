"""How the arrays of a figure cross to the browser: small, and without a Python object for each value.

FigureWidget sends arrays of more than one axis as JSON lists of lists: half a megabyte for the map of one canvas, made,
written, read and copied value by value. Here they cross as bytes, which ``static/wire_arrays.js`` unpacks: numbers as
they are, in single precision where nothing is lost; texts as the distinct ones and the place of each cell's among them.
Everything else crosses as Plotly sends it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from plotly.serializers import custom_serializers

if TYPE_CHECKING:
    import numpy.typing as npt

    Array = npt.NDArray[Any]

_FEW = 64
"""Values up to which a list is as good."""


def to_wire(value: Any, widget: Any = None) -> Any:
    """A property of a figure as ipywidgets sends it: JSON values and bytes."""
    if isinstance(value, dict):
        return {name: to_wire(inner, widget) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_wire(inner, widget) for inner in value]
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "f" and value.ndim > 1:
            return _numbers(value)
        if value.dtype.kind in "OU" and value.size > _FEW:
            cells = value.ravel().tolist()
            if all(type(cell) is str for cell in cells):
                return _texts(cells, value.shape)
    return custom_serializers["to_json"](value, widget)


def _numbers(values: Array) -> dict[str, Any]:
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    kept = single if np.array_equal(single, values, equal_nan=True) else values.astype(np.float64)
    return {"wire": "numbers", "dtype": kept.dtype.name, "shape": list(kept.shape), "values": kept.tobytes()}


def _texts(cells: list[str], shape: tuple[int, ...]) -> dict[str, Any]:
    distinct = list(dict.fromkeys(cells))
    places = {text: place for place, text in enumerate(distinct)}
    dtype = np.min_scalar_type(len(distinct))
    at = np.fromiter(map(places.__getitem__, cells), dtype, len(cells))
    return {"wire": "texts", "dtype": dtype.name, "shape": list(shape), "values": at.tobytes(), "distinct": distinct}


FIGURE_PARTS = {"from_json": custom_serializers["from_json"], "to_json": to_wire}
"""Serialisation of the traits that carry figures or parts of them."""
