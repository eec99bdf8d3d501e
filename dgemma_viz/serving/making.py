"""What runs in the processes that open published traces: a file in, compressed contents and places out.

A maker validates the name by itself, keeps the last trace open for the places that are asked for next, and says plainly
what is wrong. It has no secrets and no visitors: the server tells it a folder, a name and what is wanted.
"""

from __future__ import annotations

import gzip
import logging
import signal
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from os import _exit
from pathlib import Path

from dgemma_viz.errors import DgemmaVizError, TraceFileError
from dgemma_viz.serving.published_traces import Edition, edition_of, open_published, shown
from dgemma_viz.views.contents import Contents, contents, to_json
from dgemma_viz.views.page import WRITTEN_BY, page_json

FOOTER = f"Shown by {WRITTEN_BY}. A recorded run: nothing is computed here."
PAGE = "page"
Part = str | tuple[int, int]
_EFFORT = 6


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a published trace.

    Attributes
    ----------
    folder, name
        Where it is.
    edition
        Of the file; another one is not opened.
    part
        :data:`PAGE`, one of :data:`~dgemma_viz.views.contents.PARTS`, or a place: canvas and sample.
    """

    folder: Path
    name: str
    edition: Edition
    part: Part


@dataclass(frozen=True)
class Made:
    """What became of it.

    Attributes
    ----------
    packed
        What was wanted, compressed (gzip); empty if there is trouble.
    changed
        The file is another by now.
    trouble
        Why there is nothing to show. NOT escaped.
    lasting
        It will be the same another time.
    """

    packed: bytes = b""
    changed: bool = False
    trouble: str = ""
    lasting: bool = True


class _Maker:
    """Keeps one trace open."""

    def __init__(self) -> None:
        self._key: tuple[Path, str, Edition] | None = None
        self._contents: Contents | None = None

    def make(self, wanted: Wanted) -> Made:
        try:
            found = self._open(wanted)
            if found is None:
                return Made(changed=True)
            return Made(gzip.compress(_part_of(found, wanted), _EFFORT, mtime=0))
        except DgemmaVizError as error:
            return Made(trouble=str(error))
        except Exception:
            logging.getLogger(__name__).exception("the trace %r could not be shown", wanted.name)
            return Made(trouble=f"'{wanted.name}' could not be shown: it is not as a trace should be")

    def _open(self, wanted: Wanted) -> Contents | None:
        key = wanted.folder, wanted.name, wanted.edition
        if key == self._key:
            return self._contents
        self._key = self._contents = None  # one trace at a time
        if edition_of(wanted.folder, wanted.name) != wanted.edition:
            return None
        trace = open_published(wanted.folder, wanted.name)
        if edition_of(wanted.folder, wanted.name) != wanted.edition:
            return None
        self._contents = contents(trace)
        self._key = key
        return self._contents


def make_until_closed(pipe: Connection) -> None:
    """In a process of its own: answer what is wanted until the server has gone or wants no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # that of the terminal is for the server, which ends this process
    threading.Thread(target=_end_with_server, daemon=True).start()
    maker = _Maker()
    while True:
        try:
            pipe.send(maker.make(pipe.recv()))
        except (EOFError, OSError):
            return


def _end_with_server() -> None:
    if server := parent_process():
        server.join()
        _exit(1)


def _part_of(found: Contents, wanted: Wanted) -> bytes:
    if wanted.part == PAGE:
        own = {"title": shown(wanted.name), "edition": wanted.edition.tag}
        return page_json(found.page | own, FOOTER)
    if isinstance(wanted.part, str):
        return to_json(found.part(wanted.part))
    canvas, sample = wanted.part
    if canvas >= found.page["canvases"] or sample >= found.page["samples"]:
        raise TraceFileError(f"'{wanted.name}' has no such canvas")
    return found.place(canvas, sample)
