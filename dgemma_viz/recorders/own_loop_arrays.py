"""What a user hands to :class:`~dgemma_viz.recorders.own_loop.Recorder`, judged and copied into plain arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.host_array import host_array
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT, TOKEN_ARRAYS

Array = npt.NDArray[Any]

_AXES = {1: "(C,)", 2: "(B, C)", 3: "(B, C, K)"}
_ROUNDING = 1e-3
_SPECS = ARRAYS | RULED_OUT


def as_array(where: str, name: str, value: Any) -> Array:
    """A copy on the host; bfloat16 and the like become float32."""
    try:
        return np.array(host_array(value))
    except TypeError as error:
        raise RecordingError(f"{where}: '{name}' {error}") from error


def per_position(where: str, name: str, value: Any, shape: tuple[int, ...] | None) -> Array:
    """Array of a step with its sample axis, ``(B, C)`` or ``(B, C, K)``, in the dtype of the schema.

    Parameters
    ----------
    where
        Step, for messages.
    name
        Name in :data:`dgemma_viz.trace.schema.ARRAYS`.
    value
        Torch tensor, array or list; a single sample may lack its axis.
    shape
        ``(B, C)`` of the canvas; None takes that of ``value``.

    Raises
    ------
    RecordingError
        Says what is wrong with it.
    """
    array = as_array(where, name, value)
    given = array.shape
    axes = 3 if _SPECS[name].axes.endswith("K") else 2
    if array.ndim == axes - 1:
        array = array[None]
    if array.ndim != axes or array.size == 0:
        raise RecordingError(
            f"{where}: '{name}' has shape {given}; give {_AXES[axes]}, or {_AXES[axes].replace('B, ', '')} "
            "for one sample"
        )
    if shape is not None and array.shape[:2] != shape:
        raise RecordingError(
            f"{where}: '{name}' is for {array.shape[0]} sample(s) of {array.shape[1]} positions, but the canvas has "
            f"{shape[0]} of {shape[1]}: hand over the same positions of every array"
        )
    return _typed(where, name, array)


def per_sample(where: str, name: str, value: Any, samples: int) -> Array:
    """Bool ``(B,)``; one value stands for all samples."""
    array = as_array(where, name, value)
    if array.ndim == 0:
        array = np.repeat(array, samples)
    if array.shape != (samples,):
        raise RecordingError(f"{where}: '{name}' has shape {array.shape}; give one value, or one for each sample")
    return _typed(where, name, array)


def _typed(where: str, name: str, array: Array) -> Array:
    wanted = np.dtype(_SPECS[name].dtype)
    if wanted.kind == "b" and not np.isin(array, (0, 1)).all():
        raise RecordingError(f"{where}: '{name}' must be true or false (or 1 and 0) everywhere")
    if name in TOKEN_ARRAYS and (array.dtype.kind not in "iu" or array.min() < 0):
        raise RecordingError(f"{where}: '{name}' must hold token ids, whole numbers from 0")
    if name == "decision" and not np.isin(array, list(Decision)).all():
        raise RecordingError(f"{where}: '{name}' must hold codes of dgemma_viz.trace.Decision, 0 to {max(Decision)}")
    if name.endswith(("probability", "probabilities", "confidence")):
        finite = array[np.isfinite(array)]
        if finite.size and not (finite.min() >= 0 and finite.max() <= 1 + _ROUNDING):
            raise RecordingError(f"{where}: '{name}' must be probabilities, from 0 to 1")
    return array.astype(wanted)


def in_vocabulary(where: str, arrays: Mapping[str, Array], size: int) -> None:
    """Refuse token ids that the vocabulary does not have; a size of 0 is unknown."""
    for name in TOKEN_ARRAYS:
        if size and name in arrays and arrays[name].max() >= size:
            raise RecordingError(
                f"{where}: '{name}' holds token id {arrays[name].max()}, outside the vocabulary of {size:,}"
            )


def prompts(value: Any) -> list[list[int]]:
    """Token ids of each sample's prompt, from ``(P,)``, ``(B, P)`` or lists of different lengths."""
    if value is None:
        return []
    ragged = isinstance(value, list | tuple) and any(np.ndim(row) for row in value)
    rows = [as_array("prompt", "prompt", row) for row in (value if ragged else [value])]
    if not ragged and rows[0].ndim == 2:  # noqa: PLR2004
        rows = list(rows[0])
    for row in rows:
        if row.ndim != 1 or (row.size and (row.dtype.kind not in "iu" or row.min() < 0)):
            raise RecordingError("'prompt' must be token ids: (P,), (B, P), or a list of them for each sample")
    return [[int(token) for token in row] for row in rows]
