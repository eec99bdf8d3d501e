"""What was made of published traces, as the bytes that are sent: made once, and kept while there is room.

Memory does not grow with visitors: all get the same bytes, who comes while something is made waits for it, and what was
not asked for longest goes when the bound is reached.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from pathlib import Path

from dgemma_viz.errors import TraceFileError
from dgemma_viz.serving.makers import Makers
from dgemma_viz.serving.making import Made, Part, Wanted
from dgemma_viz.serving.published_traces import Edition

_LEAST_SIZE = 1000
"""Bytes that an entry counts for at least: its words and its key take room, too."""


class ReplacedError(TraceFileError):
    """The file is another than the one that was asked for."""


class TraceStore:
    """Contents and places of the published traces of one folder.

    Parameters
    ----------
    folder
        The folder.
    most_bytes
        To keep.
    makers
        Who makes what is not there yet.
    """

    def __init__(self, folder: Path, most_bytes: int, makers: Makers | None = None) -> None:
        self.folder = folder
        self.size = 0
        self._most_bytes = most_bytes
        self._makers = makers or Makers()
        self._kept: OrderedDict[Wanted, Made] = OrderedDict()
        self._being_made: dict[Wanted, asyncio.Task[Made]] = {}

    async def packed(self, name: str, edition: Edition, part: Part) -> bytes:
        """A part of what is shown of a trace, compressed (gzip).

        Raises
        ------
        TraceFileError
            It cannot be opened, or has no such place; a :class:`ReplacedError` if the file is no longer this edition.
        """
        wanted = Wanted(self.folder, name, edition, part)
        if wanted in self._kept:
            self._kept.move_to_end(wanted)
            made = self._kept[wanted]
        else:
            made = await asyncio.shield(self._task(wanted))
        if made.changed:
            raise ReplacedError(f"'{name}' was replaced while it was opened")
        if made.trouble:
            raise TraceFileError(made.trouble)
        return made.packed

    def close(self) -> None:
        """End the processes that make."""
        self._makers.close()

    def _task(self, wanted: Wanted) -> asyncio.Task[Made]:
        if wanted not in self._being_made:
            task = asyncio.create_task(self._make(wanted))
            self._being_made[wanted] = task
            task.add_done_callback(lambda _: self._being_made.pop(wanted))
        return self._being_made[wanted]

    async def _make(self, wanted: Wanted) -> Made:
        made = await self._makers.make(wanted)
        if made.lasting and not made.changed:
            self._keep(wanted, made)
        return made

    def _keep(self, wanted: Wanted, made: Made) -> None:
        self._kept[wanted] = made
        self.size += _size(made)
        while self.size > self._most_bytes:
            _, gone = self._kept.popitem(last=False)
            self.size -= _size(gone)


def _size(made: Made) -> int:
    return max(_LEAST_SIZE, len(made.packed))
