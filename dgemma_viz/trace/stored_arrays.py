"""A safetensors file read into memory whole, as its arrays and metadata.

It is never mapped, as the library's own ``safe_open`` does: where somebody cuts a mapped file short, looking at what
is gone ends the process (SIGBUS).
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, deserialize

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.regular_file import open_regular

_LENGTH_BYTES = 8
_DTYPES = {"U8": "u1", "U16": "<u2", "I32": "<i4", "BOOL": "?", "F16": "<f2", "F32": "<f4", "F64": "<f8"}
"""Those that a trace has."""


@dataclass(frozen=True)
class StoredArray:
    """An array as the file says: dtype in the format's words, shape, bytes. Nothing of it is judged yet."""

    dtype: str
    shape: list[int]
    data: bytes

    def to_numpy(self) -> np.ndarray[Any, Any]:
        """The array itself, not writeable; of a dtype that a trace has."""
        array = np.frombuffer(self.data, dtype=_DTYPES[self.dtype]).reshape(self.shape)
        array.flags.writeable = False
        return array


def is_safetensors(source: Path) -> bool:
    """Whether a file begins as such files do: a length, and the header's first brace."""
    with open_regular(source) as file:
        start = file.read(_LENGTH_BYTES + 1)
    return start[_LENGTH_BYTES:] == b"{" and b"\0" in start[:_LENGTH_BYTES]


def read_stored(source: Path, kind: str) -> tuple[dict[str, str], dict[str, StoredArray]]:
    """Metadata and arrays; both are empty where the header does not name this kind, and nothing beyond it is read.

    Raises
    ------
    TraceFileError
        No regular file, one that cannot be read, truncated, or not a safetensors file.
    """
    try:
        with open_regular(source) as file:
            size, length = os.fstat(file.fileno()).st_size, _header_length(file.read(_LENGTH_BYTES))
            header = file.read(length) if length < size else b""
            if header.startswith(b"{") and kind.encode() not in header:
                return {}, {}
            file.seek(0)
            content = file.read(size)
        parts = deserialize(content)  # type: ignore[no-untyped-call]
        arrays = {name: StoredArray(part["dtype"], part["shape"], part["data"]) for name, part in parts}
        return _metadata(content), arrays
    except TraceFileError:
        raise
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise TraceFileError(f"'{source}' is truncated or not a safetensors file ({error!s:.200})") from error


def _header_length(start: bytes) -> int:
    return int.from_bytes(start[:_LENGTH_BYTES], "little")


def _metadata(content: bytes) -> dict[str, str]:
    """The library gives arrays alone; that what stands here is text, it has seen to."""
    header = json.loads(content[_LENGTH_BYTES : _LENGTH_BYTES + _header_length(content)])
    metadata = header.get("__metadata__")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("without metadata")
    return metadata
