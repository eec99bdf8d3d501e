"""What a file holds, as plain values: JSON, JSON lines, numpy's and safetensors' arrays, text. Never a pickle.

A pickle can run any program when it is opened, so it is told by its first bytes and refused, inside the archives that
``torch.save`` writes, too.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_safetensors

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.regular_file import open_regular

LARGEST = 2**28
"""Bytes, also of what an archive unpacks to."""
_ARRAY_NAME = "history"
"""What a lone array is taken for."""
_PAGE_DATA = re.compile(r'<script[^>]*\bid="data"[^>]*\btype="application/json"[^>]*>(.*?)</script>', re.DOTALL)
"""Where a viewer's page keeps its data, as that of dLLM-RL's ``sample/get_trace_viewer.py`` does."""
_NUMBER = re.compile(r"[0-9]{1,10}")
"""In the metadata of safetensors, which are texts."""
_INSTEAD = (
    "which is never opened, since it can run any program. Save it without: "
    "numpy.savez(path, history=torch.stack(history).cpu(), sequences=sequences.cpu()), or json.dump of lists of ids"
)


def content_of(source: Path) -> Any:
    """The values that a file holds: dict, list, or text.

    Arrays are a dict by name; a lone array is the dict's ``history``.

    Raises
    ------
    TraceFileError
        It cannot be read, is too large, is a pickle, or is neither text nor arrays.
    """
    with open_regular(source) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if size > LARGEST:
                raise TraceFileError(f"'{source}' is larger than {LARGEST:,} bytes; split it by request")
            data = file.read(size)  # no more than that: a buffer of the size asked for is made at once
        except OSError as error:
            raise TraceFileError(f"cannot read '{source}': {error.strerror}") from error
    try:
        return _parsed(data)
    except TraceFileError as error:
        raise TraceFileError(f"'{source}' {error}") from error


def _parsed(data: bytes) -> Any:
    if data[:1] == b"\x80" and data[1:2] <= b"\x05":
        raise TraceFileError(f"is a pickle, {_INSTEAD}")
    if data.startswith(b"PK\x03\x04"):
        return _archive(data)
    if data.startswith(b"\x93NUMPY"):
        return {_ARRAY_NAME: _array(data)}
    if data[8:9] == b"{" and b"\0" in data[:8]:
        return _safetensors(data)
    try:
        return _text(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise TraceFileError("is truncated or not a safetensors file, nor text, nor arrays of numpy's") from error


def _archive(data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            if any(member.filename.endswith(".pkl") for member in members):
                raise TraceFileError(f"was written by torch.save, as a pickle, {_INSTEAD}")
            if not members or not all(member.filename.endswith(".npy") for member in members):
                raise TraceFileError("is an archive, but not one of numpy's (.npz)")
            if sum(member.file_size for member in members) > LARGEST:
                raise TraceFileError(f"unpacks to more than {LARGEST:,} bytes; split it by request")
            return {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise TraceFileError(f"is a damaged archive ({error!s:.100})") from error


def _array(data: bytes) -> np.ndarray[Any, Any]:
    try:
        array: np.ndarray[Any, Any] = np.load(BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError, MemoryError) as error:
        if "pickle" in str(error).lower():
            raise TraceFileError(f"holds Python objects in an array, as a pickle, {_INSTEAD}") from error
        raise TraceFileError(f"holds a damaged array ({error!s:.100})") from error
    return array


def _safetensors(data: bytes) -> dict[str, Any]:
    try:
        arrays: dict[str, Any] = load_safetensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise TraceFileError(f"is truncated or not a safetensors file ({error!s:.200})") from error
    named = header.get("__metadata__", {}).items()
    return {name: int(value) if _NUMBER.fullmatch(value) else value for name, value in named} | arrays


def _text(text: str) -> Any:
    if page := _PAGE_DATA.search(text):
        text = page[1]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        return [json.loads(line) for line in lines]
    except (ValueError, RecursionError):
        return text


def described(value: Any) -> str:
    """What was found, in few words, for an error."""
    if isinstance(value, dict):
        names = ", ".join(repr(name)[:40] for name in [*value][:8])
        return f"an object with the keys {names}{', ...' if len(value) > 8 else ''}" if value else "an empty object"  # noqa: PLR2004
    if isinstance(value, list):
        return f"a list, of which the first item is {described(value[0])}" if value else "an empty list"
    if isinstance(value, str):
        return f"text that begins with {value[:40]!r}" if value else "empty text"
    return f"{value!r:.40}"
