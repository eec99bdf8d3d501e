"""Visitors of a published trace without a browser, so that what is measured is the server alone.

A visitor asks for what a browser asks for, each time over a new connection: the page, the module that draws it,
contents and first canvas (then the first tokens are there), findings, Plotly. All visitors of a row come at the same
moment. Where the trace is new, its file was just touched, so that everything has to be made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil
from tornado.httpclient import AsyncHTTPClient, HTTPRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 300
EVERY = 0.05  # seconds between two looks at the memory
_MODULE = re.compile(r'"\.\./(viewer/[\w.-]+)"')


@dataclass
class Row:
    """What one row of visitors cost; seconds and MB."""

    visitors: int
    first_tokens: list[float]
    everything: list[float]
    processor: float
    memory: float
    growth: float


async def visitors(address: str, name: str, count: int, server: psutil.Process) -> Row:
    """Let so many visitors come at once."""
    client = AsyncHTTPClient(force_instance=True, max_clients=count, defaults={"decompress_response": False})
    processor, before = seconds(server), megabytes(server)
    peak = asyncio.create_task(highest(server))
    began = time.monotonic()
    times = await asyncio.gather(*(visit(client, address, name, began) for _ in range(count)))
    peak.cancel()
    first, whole = (list(column) for column in zip(*times, strict=True))
    client.close()
    return Row(count, first, whole, seconds(server) - processor, await peak, await peak - before)


async def visit(client: AsyncHTTPClient, address: str, name: str, began: float) -> tuple[float, float]:
    """Seconds until the first tokens, and until everything, are there."""

    async def ask(path: str) -> bytes:
        headers = {"Accept-Encoding": "gzip"}
        answer = await client.fetch(
            HTTPRequest(address + path, headers=headers, request_timeout=PATIENCE, connect_timeout=PATIENCE)
        )
        return bytes(answer.body)

    page = gzip.decompress(await ask(f"traces/{name}")).decode()
    viewer, plotly = _MODULE.findall(page)
    _, contents = await asyncio.gather(ask(viewer), ask(f"traces/{name}/contents"))
    edition = json.loads(gzip.decompress(contents))["edition"]
    await ask(f"traces/{name}/places/0-0?of={edition}")
    tokens = time.monotonic() - began
    await asyncio.gather(ask(f"traces/{name}/findings?of={edition}"), ask(plotly))
    return tokens, time.monotonic() - began


async def highest(server: psutil.Process) -> float:
    """The most memory that was seen until cancelled, MB."""
    most = 0.0
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            most = max(most, megabytes(server))
            await asyncio.sleep(EVERY)
    return max(most, megabytes(server))


def processes(server: psutil.Process) -> list[psutil.Process]:
    """The server and what opens traces for it; kernels, and what they are forked from, have no part in this."""
    return [server, *(child for child in server.children() if "spawn_main" in " ".join(child.cmdline()))]


def seconds(server: psutil.Process) -> float:
    """Processor time that they have taken so far."""
    return sum(sum(process.cpu_times()[:2]) for process in processes(server))


def megabytes(server: psutil.Process) -> float:
    """What they hold for themselves (USS)."""
    total = 0.0
    for process in processes(server):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().uss / 1e6
    return total


async def rounds(address: str, server: psutil.Process, path: Path, counts: list[int]) -> AsyncIterator[tuple[str, Row]]:
    """For each number of visitors a row in which the trace is new to the server, and one in which it is known."""
    for count in counts:
        path.touch()
        for kept in ("new", "known"):
            yield kept, await visitors(address, path.name, count, server)
