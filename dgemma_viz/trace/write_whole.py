"""Write a file whole or not at all: an interrupted save leaves an existing file as it was."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from dgemma_viz.errors import TraceFileError


def write_whole(path: str | os.PathLike[str], blob: bytes) -> None:
    """Write beside ``path``, then put the new file in its place.

    Raises
    ------
    TraceFileError
        ``path`` cannot be written (folder missing, not writable).
    """
    target = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as error:
        raise TraceFileError(f"cannot write '{target}': {error.strerror}; choose a folder that exists") from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(blob)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(target)
    except OSError as error:
        with suppress(OSError):
            Path(temporary).unlink()
        raise TraceFileError(f"cannot write '{target}': {error.strerror}") from error


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
