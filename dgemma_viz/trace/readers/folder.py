"""A folder: of runs, one in each file, or of one run, a file for each step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.readers.known import whole_array
from dgemma_viz.trace.readers.text_frames import frame_of

ENDINGS = (".safetensors", ".jsonl", ".json", ".npz", ".npy", ".txt", ".html")
"""Names of files that are looked at."""
_MOST_FILES = 4096


def is_folder(path: Path) -> bool:
    """Whether this is one, and not a name that no file system has."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def files_of(folder: Path) -> list[Path]:
    """The files of a folder that may hold runs or steps; by name, numbers in them by their size.

    Raises
    ------
    TraceFileError
        There are none, or too many, or the folder cannot be read.
    """
    try:
        files = [path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file()]
    except OSError as error:
        raise TraceFileError(f"cannot read the folder '{folder}': {error.strerror}") from error
    if not files:
        raise TraceFileError(f"the folder '{folder}' holds no file of a run: none ends with {', '.join(ENDINGS)}")
    if len(files) > _MOST_FILES:
        raise TraceFileError(f"the folder '{folder}' holds {len(files):,} files; at most {_MOST_FILES:,} are looked at")
    return sorted(files, key=_by_number)


def one_run(steps: Mapping[str, Any]) -> Any:
    """The content of one run whose steps are the contents of files, in their order; None if they are no steps."""
    ids = [whole_array(_ids(one)) for one in steps.values()]
    if len(ids) > 1 and all(one is not None and one.ndim <= 2 for one in ids):  # noqa: PLR2004
        return {"history": [one.tolist() for one in ids if one is not None]}
    frames = [frame_of(one) for one in steps.values()]
    if len(frames) > 1 and all(frame is not None for frame in frames):
        return {"frames": frames}
    return None


def _ids(content: Any) -> Any:
    """Token ids of one step, of a list or of the only array in a file."""
    return next(iter(content.values())) if isinstance(content, dict) and len(content) == 1 else content


def _by_number(path: Path) -> list[Any]:
    """Sorts ``step_10`` behind ``step_9``."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d{1,18}|\D+", path.name)]
