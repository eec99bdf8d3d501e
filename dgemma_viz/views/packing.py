"""How one canvas run becomes bytes that the browser reads without copying: one record of fixed size per step.

What crosses to the browser. A record holds the arrays of one denoising step back to back, little-endian, widest types
first so that each is aligned; a run is its records one after the other. ``fields`` tells the browser, per array, its
dtype, its offset in the record and its number of values. So a step is a typed-array view at ``step * stride + offset``,
and steps can be appended while a model is still generating. Token texts travel apart, once per token id that occurs,
already made safe to read (:func:`dgemma_viz.figures.token_text.display_text`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.figures.marks import decisions
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

FIELDS: dict[str, tuple[str, bool]] = {
    "noised": ("i4", False),
    "candidate": ("i4", False),
    "draft": ("i4", False),
    "top_k_ids": ("i4", True),
    "entropy": ("f4", False),
    "confidence": ("f4", False),
    "candidate_probability": ("f4", False),
    "top_k_probabilities": ("f2", True),
    "decision": ("u1", False),
}
"""Arrays of a record in their order: dtype, and whether there is one value per alternative instead of one. A decision
that was not recorded is :data:`~dgemma_viz.trace.decision.NO_DECISION`."""

ID_FIELDS = ("noised", "candidate", "draft", "top_k_ids")

_ALIGNMENT = 4


@dataclass(frozen=True)
class Packing:
    """Sizes of one step's record: ``positions`` of the canvas and ``top_k`` alternatives kept per position."""

    positions: int
    top_k: int

    @classmethod
    def of(cls, run: CanvasRun) -> Packing:
        """The sizes of a canvas run."""
        return cls(run.canvas_length, run.trace.top_k)

    def _counts(self) -> dict[str, int]:
        return {name: self.positions * (self.top_k if per_rank else 1) for name, (_, per_rank) in FIELDS.items()}

    @property
    def stride(self) -> int:
        """Bytes of one record, padded to the alignment."""
        size = sum(np.dtype(FIELDS[name][0]).itemsize * count for name, count in self._counts().items())
        return -(-size // _ALIGNMENT) * _ALIGNMENT

    def to_json(self) -> dict[str, Any]:
        """Layout of a record as the browser needs it."""
        fields, offset = {}, 0
        for name, count in self._counts().items():
            dtype = FIELDS[name][0]
            fields[name] = {"dtype": dtype, "offset": offset, "count": count}
            offset += np.dtype(dtype).itemsize * count
        return {"positions": self.positions, "top_k": self.top_k, "stride": self.stride, "fields": fields}

    def pack_step(self, arrays: Mapping[str, Array]) -> bytes:
        """One record from the arrays of one step: ``(C,)`` each, ``(C, K)`` for the alternatives."""
        parts = [np.asarray(arrays[name], dtype=f"<{dtype}").tobytes() for name, (dtype, _) in FIELDS.items()]
        return b"".join(parts).ljust(self.stride, b"\0")

    def pack_run(self, run: CanvasRun) -> bytes:
        """All records of a canvas run."""
        arrays = {name: run.array(name) for name in FIELDS} | {"decision": decisions(run)}
        return b"".join(
            self.pack_step({name: values[step] for name, values in arrays.items()}) for step in range(run.n_steps)
        )

    def unpack(self, data: bytes) -> dict[str, Array]:
        """Arrays ``(T, C)`` or ``(T, C, K)`` from records: the browser's reading, in Python."""
        steps = len(data) // self.stride if self.stride else 0
        records = np.frombuffer(data, dtype=np.uint8, count=steps * self.stride).reshape(steps, self.stride)
        unpacked = {}
        for name, place in self.to_json()["fields"].items():
            dtype = np.dtype(f"<{place['dtype']}")
            raw = records[:, place["offset"] : place["offset"] + place["count"] * dtype.itemsize]
            shape = (steps, self.positions, self.top_k) if FIELDS[name][1] else (steps, self.positions)
            unpacked[name] = np.frombuffer(raw.tobytes(), dtype).reshape(shape)
        return unpacked
