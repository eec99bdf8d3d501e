"""Token ids as indices into the ids that occur: a file's ``vocabulary``, of which a run meets a small part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_TABLE_SPAN = 2**22
"""Beyond any tokenizer's ids: a table of 16 MiB."""


def distinct(ids: Sequence[Array]) -> Array:
    """All ids, ascending, int32: from a table, or by sorting where they are too far apart for one."""
    ids = [part for part in ids if part.size]
    if not ids:
        return np.zeros(0, dtype=np.int32)
    lowest, highest = min(int(part.min()) for part in ids), max(int(part.max()) for part in ids)
    if highest - lowest >= _TABLE_SPAN:
        return np.unique(np.concatenate([np.unique(part) for part in ids])).astype(np.int32)
    occurs = np.zeros(highest - lowest + 1, dtype=bool)
    for part in ids:
        occurs[part - lowest] = True
    return (np.flatnonzero(occurs) + lowest).astype(np.int32)


def places(vocabulary: Array, ids: Array) -> Array:
    """Index of each id in the ascending vocabulary, in 16 bits where they fit.

    By a table, or by search where ids are too far apart for one.
    """
    wide = np.uint16 if len(vocabulary) <= np.iinfo(np.uint16).max + 1 else np.int32
    lowest, span = (int(vocabulary[0]), int(vocabulary[-1]) - int(vocabulary[0])) if len(vocabulary) else (0, 0)
    if not len(vocabulary) or span >= _TABLE_SPAN:
        return np.searchsorted(vocabulary, ids).astype(wide)
    table = np.zeros(span + 1, dtype=wide)
    table[vocabulary - lowest] = np.arange(len(vocabulary), dtype=wide)
    found: Array = table[ids - lowest]
    return found
