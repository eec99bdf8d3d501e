"""Open a file that can be read to its end: a pipe waits for a writer, and a device such as /dev/zero never ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from dgemma_viz.errors import TraceFileError


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open for reading, links followed; never waits.

    Raises
    ------
    TraceFileError
        There is no such file, it cannot be read, or it is a folder, pipe, socket or device.
    """
    source = Path(path)
    # Without O_NONBLOCK, opening a pipe waits for its other end. What was opened is judged: a name may change hands.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOCTTY", 0)
    try:
        if source.is_dir():  # which cannot be opened at all on some systems
            raise _not_regular(source)
        handle = os.open(source, flags)
    except FileNotFoundError as error:
        raise TraceFileError(f"cannot read '{source}': there is no trace file of this name") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise TraceFileError(f"cannot read '{str(source)[:500]}': {reason}") from error
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _not_regular(source)
    return os.fdopen(handle, "rb")


def _not_regular(source: Path) -> TraceFileError:
    return TraceFileError(f"'{source}' is not a regular file (but a folder, a pipe or a device): copy it to one first")
