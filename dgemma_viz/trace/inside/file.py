"""An inside on disk: one ``.safetensors`` file beside the trace's, laid out as that is, readable without torch.

Arrays of a part are called ``part.array``. Token ids are indices into ``vocabulary``; texts are packed as in a trace
(:mod:`dgemma_viz.trace.file`). Reading trusts nothing: format, version, names, dtypes and axes are judged before any
array is made, and the rest by :class:`~dgemma_viz.trace.inside.model.Inside` itself.
"""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace.distinct_ids import distinct, places
from dgemma_viz.trace.facts import shown
from dgemma_viz.trace.inside.facts import InsideFacts
from dgemma_viz.trace.inside.model import Inside
from dgemma_viz.trace.inside.parts import PART_CLASSES
from dgemma_viz.trace.inside.schema import OF_THE_PASS, PARTS, SCHEMA_VERSION, TOKENS
from dgemma_viz.trace.schema import ArraySpec
from dgemma_viz.trace.stored_arrays import StoredArray, read_stored
from dgemma_viz.trace.token_texts import TokenTexts, pack_texts, unpack_texts
from dgemma_viz.write_whole import write_whole

FORMAT = "dgemma_viz.inside"
_DTYPES = {"int32": "I32", "bool": "BOOL", "uint8": "U8", "uint16": "U16", "float16": "F16", "float32": "F32"}
_MOST_VALUES = 2**40
"""Beyond any file, as for traces."""
SPECS: dict[str, ArraySpec] = dict(OF_THE_PASS) | {
    f"{part}.{name}": spec for part, specs in PARTS.items() for name, spec in specs.items()
}
"""All arrays of a file by their names there, beside ``vocabulary`` and ``token_texts``."""


def save_inside(inside: Inside, path: str | os.PathLike[str]) -> None:
    """Write ``inside`` to ``path``, whole or not at all. Parts to leave out: ``inside.only("lens").save(path)``.

    Raises
    ------
    TraceFileError
        ``path`` cannot be written.
    """
    metadata = {
        "format": FORMAT,
        "schema_version": str(SCHEMA_VERSION),
        "facts": json.dumps(inside.facts.to_json(), ensure_ascii=False),
    }
    write_whole(path, save(_to_arrays(inside), metadata=metadata), TraceFileError)


def load_inside(path: str | os.PathLike[str]) -> Inside:
    """Read a file that :func:`save_inside` wrote.

    Raises
    ------
    TraceFileError
        The file is missing, truncated, not an inside, of a newer schema, or inconsistent; the message says which.
    """
    source = Path(path)
    metadata, stored = read_stored(source, FORMAT)
    if metadata.get("format") != FORMAT:
        raise TraceFileError(f"'{source}' is a safetensors file, but not the inside of a step (a trace, perhaps?)")
    version = metadata.get("schema_version", "")
    if version != str(SCHEMA_VERSION):
        raise TraceFileError(
            f"'{source}' has schema {version!r:.40} of an inside; this dgemma_viz reads {SCHEMA_VERSION}. For a newer "
            "one, update it with 'pip install --upgrade dgemma-viz'"
        )
    _check_stored(stored, source)
    try:
        facts = InsideFacts.from_json(json.loads(metadata.get("facts", "")))
        return _from_arrays({name: one.to_numpy() for name, one in stored.items()}, facts)
    except (TraceError, ValueError, RecursionError) as error:
        raise TraceFileError(f"'{source}' is inconsistent: {error}") from error


def _to_arrays(inside: Inside) -> dict[str, np.ndarray[Any, Any]]:
    arrays: dict[str, np.ndarray[Any, Any]] = {name: getattr(inside, name) for name in OF_THE_PASS}
    for part, held in inside.parts().items():
        arrays |= {f"{part}.{name}": array for name, array in held.arrays().items()}
    vocabulary = distinct([array for name, array in arrays.items() if _holds_tokens(name)])
    for name in filter(_holds_tokens, [*arrays]):
        arrays[name] = places(vocabulary, arrays[name])
    texts = pack_texts([inside.token_texts.get(token) for token in vocabulary.tolist()])
    return arrays | {"vocabulary": vocabulary, "token_texts": np.frombuffer(texts, dtype=np.uint8)}


def _holds_tokens(name: str) -> bool:
    """Of an array by its name in the file: ``draft`` and ``lens.ids``, but not ``experts.weight``."""
    return name.rpartition(".")[2] in TOKENS


def _check_stored(stored: dict[str, StoredArray], source: Path) -> None:
    """Judge names, dtypes and axes before anything is made of them."""
    of_parts = {part for part in PARTS if any(name.startswith(f"{part}.") for name in stored)}
    needed = [
        *OF_THE_PASS,
        "vocabulary",
        "token_texts",
        *(f"{part}.{name}" for part in of_parts for name in PARTS[part]),
    ]
    if missing := [name for name in needed if name not in stored]:
        raise TraceFileError(f"'{source}' lacks the arrays {sorted(missing)}")
    if foreign := set(stored) - {*SPECS, "vocabulary", "token_texts"}:
        raise TraceFileError(f"'{source}' holds arrays that are not part of an inside: {shown(foreign)}")
    for name, one in stored.items():
        wanted = {"vocabulary": ({"I32"}, "T"), "token_texts": ({"U8"}, "T")}.get(name)
        if wanted is None:
            wanted = ({"U16", "I32"} if _holds_tokens(name) else {_DTYPES[SPECS[name].dtype]}, SPECS[name].axes)
        dtypes, axes = wanted
        if one.dtype not in dtypes or len(one.shape) != len(axes):
            raise TraceFileError(
                f"'{source}': array '{name}' is {one.dtype} with {len(one.shape)} axes, expected {sorted(dtypes)} "
                f"with {len(axes)}"
            )
        if math.prod(filter(None, one.shape)) > _MOST_VALUES:
            raise TraceFileError(f"'{source}': array '{name}' claims a size that no file holds: {one.shape}")


def _from_arrays(arrays: dict[str, np.ndarray[Any, Any]], facts: InsideFacts) -> Inside:
    vocabulary = arrays.pop("vocabulary")
    if len(vocabulary) > 1 and (np.diff(vocabulary.astype(np.int64)) <= 0).any():
        raise TraceFileError("'vocabulary' is not strictly ascending")
    texts = unpack_texts(arrays.pop("token_texts").tobytes(), len(vocabulary))
    for name, array in arrays.items():
        if _holds_tokens(name):
            if array.size and (int(array.min()) < 0 or int(array.max()) >= len(vocabulary)):
                raise TraceFileError(f"array '{name}' points outside 'vocabulary'")
            arrays[name] = vocabulary[array] if array.size else array.astype(np.int32)
        if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:  # undefined in numpy
            raise TraceFileError(f"array '{name}' holds bytes other than 0 and 1")
    parts = {
        part: PART_CLASSES[part](**{name: arrays.pop(f"{part}.{name}") for name in specs})
        for part, specs in PARTS.items()
        if f"{part}.{next(iter(specs))}" in arrays
    }
    token_texts = TokenTexts.ascending(vocabulary.tolist(), texts)
    return Inside(**arrays, **parts, facts=facts, token_texts=token_texts)  # type: ignore[arg-type]
