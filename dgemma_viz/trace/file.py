"""Traces on disk: one ``.safetensors`` file, no pickle, readable without torch by anything that reads safetensors.

Layout. Token ids are stored as indices into ``vocabulary`` (the ids that occur, ascending), in 16 bits where they fit:
noise is drawn from a vocabulary of up to 262,144 tokens, of which a run meets a small part. The arrays of
:data:`~dgemma_viz.trace.schema.ARRAYS` keep their names; token texts are a compressed JSON list aligned with
``vocabulary`` (:mod:`.packed_texts`); facts and the schema version are the file's metadata.

Reading trusts nothing. Format, schema version, names, dtypes and axes are judged before any array is made; what remains
inconsistent is refused by :class:`~dgemma_viz.trace.model.Trace` itself.
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
from dgemma_viz.trace.json_lines import is_json_lines, load_json_lines, names_format
from dgemma_viz.trace.model import RunFacts, Trace
from dgemma_viz.trace.older_facts import upgraded_facts
from dgemma_viz.trace.readers import FORMATS, read_foreign
from dgemma_viz.trace.readers.content import LARGEST as LARGEST_CONTENT
from dgemma_viz.trace.readers.content import content_of
from dgemma_viz.trace.readers.folder import files_of, is_folder, one_run
from dgemma_viz.trace.readers.known import Known
from dgemma_viz.trace.schema import ARRAYS, DEFAULTED, RULED_OUT, SCHEMA_VERSION, TOKEN_ARRAYS
from dgemma_viz.trace.stored_arrays import StoredArray, is_safetensors, read_stored
from dgemma_viz.trace.token_texts import TokenTexts, pack_texts, unpack_texts
from dgemma_viz.write_whole import write_whole

FORMAT = "dgemma_viz.trace"
_EXTRA = ("vocabulary", "token_texts", "generator_state")
_IDS = (*TOKEN_ARRAYS, "banned_draft")
"""Arrays that are stored as indices into the vocabulary."""
_MOST_DIGITS = 9
"""Of a schema version."""
_OLDER_FACTS = 5
"""Last schema version whose facts are other than today's."""
_MOST_VALUES = 2**40
"""Beyond any file: an array with a size of 0 needs no bytes, whatever its other sizes are."""


def save_trace(trace: Trace, path: str | os.PathLike[str]) -> None:
    """Write ``trace`` to ``path``, whole or not at all: an interrupted save leaves an existing file as it was.

    Raises
    ------
    TraceFileError
        ``path`` cannot be written (folder missing, not writable).
    """
    write_whole(path, save(_to_arrays(trace), metadata=_to_metadata(trace)), TraceFileError)


def load_trace(
    path: str | os.PathLike[str],
    tokenizer: Any = None,
    *,
    mask_token_id: int | None = None,
    prompt_length: int | None = None,
    block_length: int | None = None,
) -> Trace:
    """Read a trace, or what others write of a run; which it is, is told by content.

    Own formats are ``.safetensors`` files and JSON lines (:mod:`dgemma_viz.trace.json_lines`). Of others, step maps,
    histories of token ids, frames of text, and folders of them are read (:mod:`dgemma_viz.trace.readers`): what they
    lack is absent from the trace, and its notices say what is derived.

    Parameters
    ----------
    path
        File, or folder.
    tokenizer
        The model's, for the texts of tokens in others' formats; own ones hold them.
    mask_token_id, prompt_length, block_length
        What others' formats may not say: the id of the mask token, the number of prompt tokens before the answer, and
        of tokens in a block.

    Raises
    ------
    TraceFileError
        The file is missing, truncated, of no known format, of a newer schema, or inconsistent; or it holds several runs
        (:func:`load_traces`). The message says which.
    """
    traces = load_traces(
        path, tokenizer, mask_token_id=mask_token_id, prompt_length=prompt_length, block_length=block_length
    )
    if len(traces) > 1:
        raise TraceFileError(
            f"'{path}' holds {len(traces)} runs, from '{next(iter(traces))}' to '{[*traces][-1]}': open them with "
            "dgemma_viz.trace.load_traces(path), which gives each by its name"
        )
    return next(iter(traces.values()))


def load_traces(
    path: str | os.PathLike[str],
    tokenizer: Any = None,
    *,
    mask_token_id: int | None = None,
    prompt_length: int | None = None,
    block_length: int | None = None,
) -> dict[str, Trace]:
    """All runs of a file or folder, by name; parameters and errors are those of :func:`load_trace`.

    Names are those of a folder's files, and numbers of the runs in a file, from 0; a lone run of a file has the name
    ``""``.
    """
    source = Path(path)
    known = Known(tokenizer, mask_token_id, prompt_length, block_length)
    return _of_folder(source, known) if is_folder(source) else _of_file(source, known)


def _of_file(source: Path, known: Known) -> dict[str, Trace]:
    if is_json_lines(source) and names_format(source):
        return {"": load_json_lines(source)}
    content = None
    if is_safetensors(source) or source.suffix == ".safetensors":
        metadata, stored = read_stored(source, FORMAT)
        if metadata.get("format") != FORMAT:
            content = content_of(source) if source.stat().st_size <= LARGEST_CONTENT else None
        if content is None or not any(one.fits(content) for one in FORMATS):
            return {"": _of_stored(metadata, stored, source)}
    content = content_of(source) if content is None else content
    if is_json_lines(source) and (isinstance(content, str) or _has_steps(content)):
        return {"": load_json_lines(source)}  # which says what is wrong with it, by its line
    try:
        return read_foreign(content, known)
    except TraceFileError as error:
        raise TraceFileError(str(error) if str(source) in str(error) else f"'{source}' {error}") from error


def _has_steps(content: Any) -> bool:
    """Whether these are lines of own steps, without their header."""
    first = content[0] if isinstance(content, list) and content else content
    return isinstance(first, dict) and not first.keys().isdisjoint({"draft", "emitted"})


def _of_folder(folder: Path, known: Known) -> dict[str, Trace]:
    """A run for each file; or one, where no file is a run by itself but all are steps of one."""
    files, traces, steps = files_of(folder), dict[str, Trace](), dict[str, Any]()
    refused: TraceFileError | None = None
    for file in files:
        try:
            runs = _of_file(file, known)
        except TraceFileError as error:
            refused = refused or error
            steps[file.name] = None if file.suffix == ".safetensors" else content_of(file)
            continue
        traces |= {f"{file.name} {name}".rstrip(): trace for name, trace in runs.items()}
    if refused is None:
        return traces
    if not traces and (run := one_run(steps)) is not None:
        try:
            return read_foreign(run, known)
        except TraceFileError as error:
            raise TraceFileError(f"'{folder}' {error}") from error
    raise refused


def _of_stored(metadata: dict[str, str], stored: dict[str, StoredArray], source: Path) -> Trace:
    facts = _read_metadata(metadata, source)
    _check_stored(stored, source)
    arrays = {name: stored.pop(name).to_numpy() for name in [*stored]}
    try:
        return _from_arrays(arrays, facts)
    except TraceError as error:
        raise TraceFileError(f"'{source}' is inconsistent: {error}") from error


def _to_metadata(trace: Trace) -> dict[str, str]:
    facts = json.dumps(trace.facts.to_json(), ensure_ascii=False)
    facts = facts.encode("utf-8", "backslashreplace").decode("utf-8")  # half a surrogate pair, as JSON escapes it
    return {
        "format": FORMAT,
        "schema_version": str(SCHEMA_VERSION),
        "facts": facts,
    }


def _to_arrays(trace: Trace) -> dict[str, np.ndarray[Any, Any]]:
    held = {name: array for name in (*ARRAYS, *RULED_OUT) if (array := getattr(trace, name)) is not None}
    ids = [held[name] for name in _IDS if name in held]
    vocabulary = distinct([*ids, np.fromiter(trace.token_texts, np.int32)])
    arrays: dict[str, np.ndarray[Any, Any]] = dict(held)
    for name in held.keys() & {*_IDS}:
        arrays[name] = places(vocabulary, arrays[name])
    texts = pack_texts([trace.token_texts.get(token) for token in vocabulary.tolist()])
    arrays["vocabulary"] = vocabulary
    arrays["token_texts"] = np.frombuffer(texts, dtype=np.uint8)
    if trace.generator_state is not None:
        arrays["generator_state"] = np.asarray(trace.generator_state, dtype=np.uint8)
    return arrays


def _read_metadata(metadata: dict[str, str], source: Path) -> RunFacts:
    if metadata.get("format") != FORMAT:
        raise TraceFileError(f"'{source}' is a safetensors file, but not a dgemma_viz trace (weights, perhaps?)")
    version = metadata.get("schema_version", "")
    if not (version.isascii() and version.isdecimal()) or len(version) > _MOST_DIGITS:
        raise TraceFileError(f"'{source}' has no readable schema version ({version!r:.40})")
    if int(version) > SCHEMA_VERSION:
        raise TraceFileError(
            f"'{source}' has trace schema {version}, newer than the {SCHEMA_VERSION} that this dgemma_viz reads: "
            "update it with 'pip install --upgrade dgemma-viz'"
        )
    if int(version) < 1:
        raise TraceFileError(f"'{source}' has trace schema {version}, which never existed")
    try:
        data = json.loads(metadata.get("facts", ""))
        return RunFacts.from_json(upgraded_facts(data) if int(version) <= _OLDER_FACTS else data)
    except (ValueError, TypeError, RecursionError) as error:
        raise TraceFileError(f"'{source}' has unreadable run facts: {error}") from error


def _check_stored(stored: dict[str, StoredArray], source: Path) -> None:
    """Judge names, dtypes and axes before anything is made of them."""
    needed = [name for name in ARRAYS if name not in DEFAULTED]
    if missing := [name for name in (*needed, "vocabulary", "token_texts") if name not in stored]:
        raise TraceFileError(f"'{source}' lacks the arrays {missing}")
    if foreign := set(stored) - set(ARRAYS) - set(RULED_OUT) - set(_EXTRA):
        raise TraceFileError(f"'{source}' holds arrays that are not part of a trace: {shown(foreign)}")
    dtypes = {
        "uint8": {"U8"},
        "int32": {"I32"},
        "bool": {"BOOL"},
        "float16": {"F16"},
        "float32": {"F32"},
        "float64": {"F64"},
    }
    for name, spec in ((name, spec) for name, spec in (ARRAYS | RULED_OUT).items() if name in stored):
        dtype, shape = stored[name].dtype, stored[name].shape
        allowed = {"U16", "I32"} if name in _IDS else dtypes[spec.dtype]
        if dtype not in allowed:
            raise TraceFileError(f"'{source}': array '{name}' is {dtype}, expected {sorted(allowed)}")
        if len(shape) != len(spec.axes):
            raise TraceFileError(f"'{source}': array '{name}' has {len(shape)} axes, expected {spec.axes}")
        if math.prod(filter(None, shape)) > _MOST_VALUES:
            raise TraceFileError(f"'{source}': array '{name}' claims a size that no file holds: {shape}")
    for name, wanted in (("vocabulary", "I32"), ("token_texts", "U8"), ("generator_state", "U8")):
        if name in stored and (stored[name].dtype != wanted or len(stored[name].shape) != 1):
            raise TraceFileError(f"'{source}': array '{name}' must be one-dimensional {wanted}")


def _from_arrays(arrays: dict[str, np.ndarray[Any, Any]], facts: RunFacts) -> Trace:
    vocabulary = arrays.pop("vocabulary")
    if len(vocabulary) > 1 and (np.diff(vocabulary.astype(np.int64)) <= 0).any():
        raise TraceFileError("'vocabulary' is not strictly ascending")
    texts = unpack_texts(arrays.pop("token_texts").tobytes(), len(vocabulary))
    token_texts = TokenTexts.ascending(vocabulary.tolist(), texts)
    del texts  # up to a Python object for each token of the vocabulary
    generator_state = arrays.pop("generator_state", None)
    for name in arrays.keys() & {*_IDS}:
        index = arrays[name]
        if index.size and (int(index.min()) < 0 or int(index.max()) >= len(vocabulary)):
            raise TraceFileError(f"array '{name}' points outside 'vocabulary'")
        arrays[name] = vocabulary[index] if index.size else index.astype(np.int32)
    for name, array in arrays.items():
        if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:  # undefined in numpy
            raise TraceFileError(f"array '{name}' holds bytes other than 0 and 1")
    return Trace(
        **arrays,
        facts=facts,
        token_texts=token_texts,
        generator_state=generator_state,
    )
