"""The traces of one folder, for strangers: only regular files inside it, read and never written.

The same function decides in the server, which lists and answers, and in the process that opens a trace, so that neither
relies on the other's care.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import dgemma_viz
from dgemma_viz.errors import DgemmaVizError, TraceFileError
from dgemma_viz.plain_text import isolated, visible, whole_characters
from dgemma_viz.trace import Trace, load_trace

LONGEST_SHOWN = 300
SUFFIXES = (".safetensors", ".jsonl")
MOST_BYTES = 64 * 2**20
"""Larger files are not opened: one would fill the server's memory."""
_EXCERPT = 120
_MEGABYTE = 10**6


@dataclass(frozen=True)
class TraceCard:
    """What the gallery says of one trace. Texts are NOT escaped.

    Attributes
    ----------
    name
        Of its file, also its address.
    prompt
        Its beginning.
    steps, canvases
        How many it holds.
    size
        Of its file, in words.
    date
        When the file was last written.
    trouble
        Why it cannot be opened, or empty.
    """

    name: str
    prompt: str
    steps: int
    canvases: int
    size: str
    date: datetime
    trouble: str = ""


def shown(text: str) -> str:
    """A title, the name of a file or a message as visitors read it; NOT escaped."""
    return isolated(visible(text, LONGEST_SHOWN))


def published_file(folder: Path, name: str) -> Path:
    """Path of a published trace.

    Raises
    ------
    TraceFileError
        There is none of this name: not directly in the folder, hidden, no trace file, or a link that leads out.
    """
    missing = TraceFileError(f"there is no published trace '{name}' (any more)")
    if not name or name.startswith(".") or "/" in name or "\\" in name or "\0" in name:
        raise missing
    if not name.endswith(SUFFIXES):
        raise missing
    try:
        root = folder.resolve(strict=True)
        path = (root / name).resolve(strict=True)
        regular = path.is_file()
    except (OSError, RuntimeError) as error:
        raise missing from error
    if path.parent != root or not regular:
        raise missing
    return path


@dataclass(frozen=True)
class Edition:
    """A file as it is at one time: when it was last written (ns), and its size in bytes."""

    changed: int
    size: int

    @property
    def tag(self) -> str:
        """The same in few characters, with the version of this package, which has a say in what is shown."""
        said = f"{dgemma_viz.__version__} {self.changed} {self.size}"
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def edition_of(folder: Path, name: str) -> Edition:
    """The present edition of a published trace.

    Raises
    ------
    TraceFileError
        As :func:`published_file`.
    """
    try:
        status = published_file(folder, name).stat()
    except OSError as error:
        raise TraceFileError(f"there is no published trace '{name}' (any more)") from error
    return Edition(status.st_mtime_ns, status.st_size)


def open_published(folder: Path, name: str) -> Trace:
    """The trace itself.

    Raises
    ------
    TraceFileError
        As :func:`published_file`; or it is too large, or not readable as a trace.
    """
    path = published_file(folder, name)
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise TraceFileError(
                f"'{name}' has {size / 2**20:.0f} MB; at most {MOST_BYTES // 2**20} MB are opened here"
            )
        return load_trace(path)
    except DgemmaVizError as error:
        raise TraceFileError(str(error.args[0]).replace(str(path), name)) from error
    except OSError as error:
        raise TraceFileError(f"'{name}' cannot be read: {error.strerror}") from error


def list_traces(folder: Path) -> list[TraceCard]:
    """Cards of all published traces, by name; empty where the folder is gone."""
    try:
        names = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []
    cards = []
    for name in names:
        try:
            edition = edition_of(folder, name)
        except TraceFileError:
            continue
        cards.append(_card(folder, name, edition))
    return cards


@lru_cache(maxsize=1000)
def _card(folder: Path, name: str, edition: Edition) -> TraceCard:
    """One card; read again only when the file has changed."""
    date, size = datetime.fromtimestamp(edition.changed / 1e9, UTC), edition.size
    if (written := whole_characters(name)) != name:  # bytes that are no text: it has no address
        return TraceCard(written, "", 0, 0, _size(size), date, trouble="its name is not Unicode; rename it")
    try:
        trace = open_published(folder, name)
        prompt = str(trace.facts.task.prompt or trace.prompt_text())
    except DgemmaVizError as error:
        return TraceCard(name, "", 0, 0, _size(size), date, trouble=str(error))
    except Exception:
        logging.getLogger(__name__).exception("the trace %r cannot be listed", name)
        return TraceCard(name, "", 0, 0, _size(size), date, trouble=f"'{name}' cannot be read as a trace")
    excerpt = prompt if len(prompt) <= _EXCERPT else prompt[: _EXCERPT - 1] + "…"
    return TraceCard(name, excerpt, trace.n_steps, trace.n_canvases, _size(size), date)


def _size(count: int) -> str:
    return f"{count / _MEGABYTE:.1f} MB" if count >= _MEGABYTE else f"{count / 1000:.1f} kB"
