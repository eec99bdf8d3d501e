"""Write a file whole or not at all: a write that fails or is interrupted leaves what was there, and nothing else."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from dgemma_viz.errors import DgemmaVizError, SettingError


def write_whole(path: str | os.PathLike[str], content: bytes | str, error: type[DgemmaVizError] = SettingError) -> None:
    """Write bytes, or text as UTF-8, beside ``path``, then put the new file in its place.

    Parameters
    ----------
    path
        In a folder that exists.
    content
        All of the file.
    error
        What is raised where ``path`` cannot be written: folder missing, not writable, disk full.
    """
    target = Path(path)
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as problem:
        raise error(f"cannot write '{target}': {problem.strerror}; choose a folder that exists") from problem
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(target)
    except OSError as problem:
        raise error(f"cannot write '{target}': {problem.strerror}") from problem
    finally:
        with suppress(OSError):
            unfinished.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
