"""A trace as the tables that other tools expect: a tidy pandas DataFrame, a labelled xarray Dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.errors import MissingDependencyError
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.schema import ARRAYS, RULED_OUT, ArraySpec

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

_DIMENSIONS = {"S": "step", "B": "sample", "C": "position", "K": "rank", "N": "emitted_canvas", "P": "prompt_position"}


def _held(trace: Trace) -> dict[str, ArraySpec]:
    """All arrays, those of :data:`~dgemma_viz.trace.schema.RULED_OUT` where the trace has them."""
    return ARRAYS | {name: spec for name, spec in RULED_OUT.items() if getattr(trace, name) is not None}


def to_dataframe(trace: Trace) -> pd.DataFrame:
    """One row per step, sample and position of its canvas (``S * B * C`` where all are as long), steps outermost.

    Columns: coordinates (``step``, ``canvas``, ``step_in_canvas``, ``sample``, ``position``), every array with axes
    ``S``, ``SB`` or ``SBC`` (broadcast), and the texts of the noised, candidate and draft tokens. Top-k alternatives
    need another axis: see :func:`to_xarray`.
    """
    import pandas as pd

    shape = (trace.n_steps, trace.n_samples, trace.canvas_length)
    inside = np.broadcast_to(trace.in_canvas[:, None, :], shape)
    step, sample, position = np.nonzero(inside)
    columns = {
        "step": step,
        "canvas": trace.canvas[step],
        "step_in_canvas": trace.step_in_canvas[step],
        "sample": sample,
        "position": position,
    }
    for name in ("noised", "candidate", "draft"):
        ids = getattr(trace, name)[inside]
        known, inverse = np.unique(ids, return_inverse=True)
        texts = np.array([trace.token_text(i) for i in known], dtype=object)
        columns[f"{name}_text"] = texts[inverse]
    for name, spec in _held(trace).items():
        if spec.axes in ("S", "SB", "SBC") and name not in columns:
            array = getattr(trace, name)
            array = array.reshape(array.shape + (1,) * (3 - array.ndim))
            columns[name] = np.broadcast_to(array, shape)[inside]
    return pd.DataFrame(columns)


def to_xarray(trace: Trace) -> xr.Dataset:
    """Every array with named dimensions; descriptions, units' provenance and run facts as attributes.

    Positions beyond a canvas that is shorter than the longest hold what stands for nothing, see
    :mod:`dgemma_viz.trace.schema`.

    Raises
    ------
    MissingDependencyError
        xarray is not installed.
    """
    try:
        import xarray as xr
    except ImportError as error:
        raise MissingDependencyError("to_xarray() needs xarray: pip install xarray") from error

    variables = {
        name: (
            tuple(_DIMENSIONS[axis] for axis in spec.axes),
            getattr(trace, name),
            {"description": spec.description, "provenance": spec.provenance},
        )
        for name, spec in _held(trace).items()
    }
    dataset = xr.Dataset(variables, attrs={key: str(value) for key, value in trace.facts.to_json().items()})
    dataset = dataset.assign_coords(
        {_DIMENSIONS[axis]: np.arange(dataset.sizes[_DIMENSIONS[axis]]) for axis in "SBCKN"}
    )
    return dataset.set_coords(["canvas", "step_in_canvas"])
