"""Processes that make what is shown of published traces, so that neither the server's loop nor its other visitors wait.

Opening a trace of 64 canvases computes for seconds and holds the GIL, so it happens in a process of its own. There are
few of them, they start when there is something to make, and end when there has been nothing for a while, which gives
their memory back. One file is never open in two: what is wanted of a file waits for the maker that has it.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from dgemma_viz.serving.making import Made, Wanted, make_until_closed

MOST_MAKERS = min(2, os.cpu_count() or 1)
IDLE_SECONDS = 300.0
MOST_SECONDS = 120.0
"""A trace that takes longer to open is given up."""


class _Maker:
    """One process, started when it is needed. All methods block."""

    def __init__(self) -> None:
        self.file: tuple[object, str] | None = None
        self.busy = False
        self.turn = 0
        self._process: BaseProcess | None = None
        self._pipe: Connection | None = None

    def make(self, wanted: Wanted, most_seconds: float) -> Made:
        try:
            pipe = self._started()
            pipe.send(wanted)
            if not pipe.poll(most_seconds):
                self.end()
                words = f"'{wanted.name}' took longer than {most_seconds:g} seconds to open; it was given up"
                return Made(trouble=words, lasting=False)
            made: Made = pipe.recv()
        except (EOFError, OSError):
            logging.getLogger(__name__).warning("the process that opened %r has ended", wanted.name)
            self.end()
            words = f"the process that opens '{wanted.name}' has ended; it may have run out of memory"
            return Made(trouble=words, lasting=False)
        return made

    def _started(self) -> Connection:
        if self._pipe is None or self._process is None or not self._process.is_alive():
            self.end()
            context = multiprocessing.get_context("spawn")  # the server has threads, which a fork would lose
            self._pipe, others = context.Pipe()
            self._process = context.Process(target=make_until_closed, args=(others,), daemon=True, name="trace-maker")
            self._process.start()
            others.close()
        return self._pipe

    def end(self) -> None:
        process, pipe = self._process, self._pipe
        self._process = self._pipe = None
        if process is not None:
            process.kill()
            process.join()
        if pipe is not None:
            pipe.close()


class Makers:
    """The processes, and who gets which.

    Parameters
    ----------
    most
        Of them at once.
    idle_seconds
        After so long without work a process ends.
    most_seconds
        After so long with one piece of work it is ended.
    """

    def __init__(
        self, most: int = MOST_MAKERS, idle_seconds: float = IDLE_SECONDS, most_seconds: float = MOST_SECONDS
    ) -> None:
        self._makers = [_Maker() for _ in range(most)]
        self._idle_seconds, self._most_seconds = idle_seconds, most_seconds
        self._freed = asyncio.Condition()
        self._turns = count(1)

    async def make(self, wanted: Wanted) -> Made:
        """What is wanted, when a maker is free for it."""
        file = wanted.folder, wanted.name
        async with self._freed:
            while (maker := self._for(file)) is None:
                await self._freed.wait()
            maker.busy, maker.file, maker.turn = True, file, next(self._turns)
        try:
            return await asyncio.to_thread(maker.make, wanted, self._most_seconds)
        finally:
            maker.busy = False
            asyncio.get_running_loop().call_later(self._idle_seconds, self._rest, maker, maker.turn)
            async with self._freed:
                self._freed.notify_all()

    def close(self) -> None:
        """End all processes."""
        for maker in self._makers:
            maker.end()

    def _for(self, file: tuple[object, str]) -> _Maker | None:
        """The maker that has a file open, or the free one that was used longest ago; None while it has to wait."""
        for maker in self._makers:
            if maker.file == file:
                return None if maker.busy else maker
        return min((maker for maker in self._makers if not maker.busy), key=lambda maker: maker.turn, default=None)

    def _rest(self, maker: _Maker, turn: int) -> None:
        if not maker.busy and maker.turn == turn:
            maker.end()
            maker.file = None
