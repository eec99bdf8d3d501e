"""Visitors' kernels: how many there may be, how long they live, and why one has ended.

A session is the kernel of one open page. Preheated kernels are none until a visitor gets them. Voila's own pages shut
their kernel down when they are left; what is culled here is what no page said goodbye to, what nobody used, what
outgrew its memory, and what died.
"""

from __future__ import annotations

import asyncio
import ipaddress
import uuid
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import psutil
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Bool, Float, Int

from dgemma_viz.serving.forked_kernels import ForkingProvisioner

FULL, ALL_YOURS = "full", "all yours"
DIED, IDLE, TOO_LARGE, UNKNOWN, RUNNING = "died", "idle", "memory", "unknown", "running"
_REMEMBERED = 1000
_PREHEAT = "VOILA_PREHEAT"


class SessionManager(AsyncMappingKernelManager):  # type: ignore[misc]
    """Kernel manager with a bound on sessions; Voila adds preheating to it."""

    most_sessions = Int(10, config=True)
    most_sessions_per_visitor = Int(None, allow_none=True, config=True)
    idle_seconds = Float(1800, config=True)
    disconnected_seconds = Float(120, config=True)
    most_session_megabytes = Int(2000, config=True)
    forked = Bool(default_value=False, config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._admitted: Counter[str] = Counter()
        self._visitors: dict[str, str] = {}
        self._heating: set[str] = set()
        self._leaving: set[str] = set()
        self._ended: dict[str, str] = {}

    @property
    def sessions(self) -> int:
        """Sessions now, those about to start included."""
        return self._admitted.total() + len(self._staying() - self._pooled() - self._heating)

    def _pooled(self) -> set[str]:
        """Kernels that wait, preheated, for a visitor."""
        return {
            task.result()["kernel_id"]
            for pool in getattr(self, "_pools", {}).values()  # Voila's, if it preheats
            for task in pool
            if task.done() and not task.cancelled() and task.exception() is None
        }

    def sessions_of(self, visitor: str) -> int:
        """Sessions of one visitor now, those about to start included."""
        self._visitors = {kernel: whose for kernel, whose in self._visitors.items() if kernel in self._staying()}
        return self._admitted[visitor] + list(self._visitors.values()).count(visitor)

    def _staying(self) -> set[str]:
        return set(self.list_kernel_ids()) - self._leaving

    def pre_start_kernel(self, kernel_name: str | None, kwargs: Any) -> tuple[Any, str, str]:
        """Choose how the kernel's process is made; Jupyter asks before it starts one."""
        kernel, name, kernel_id = super().pre_start_kernel(kernel_name, kwargs)
        if self.forked:
            kernel.provisioner = ForkingProvisioner(kernel_id=kernel_id, kernel_spec=kernel.kernel_spec, parent=kernel)
        return kernel, name, kernel_id

    async def start_kernel(self, **options: Any) -> str:
        """Start a kernel; one that is preheated for a pool counts as no session."""
        kernel_id = options.pop("kernel_id", None) or str(uuid.uuid4())
        if (options.get("env") or {}).get(_PREHEAT) != "True":
            return str(await super().start_kernel(kernel_id=kernel_id, **options))
        self._heating.add(kernel_id)
        try:
            return str(await super().start_kernel(kernel_id=kernel_id, **options))
        finally:
            self._heating.discard(kernel_id)

    def admit(self, visitor: str) -> str | None:
        """Take a place for a session about to start; if there is none, why. :meth:`arrived` gives it to its kernel."""
        if self.sessions >= self.most_sessions:
            return FULL
        most = self.most_sessions_per_visitor
        if most is not None and self.sessions_of(visitor) >= most:
            return ALL_YOURS
        self._admitted[visitor] += 1
        return None

    def arrived(self, visitor: str, kernel_id: str | None) -> None:
        """The kernel of an admitted session has started; None: it will not."""
        self._admitted[visitor] -= 1
        if kernel_id is not None:
            self._visitors[kernel_id] = visitor
            # One that was kept ready has done nothing for long; its page has yet to connect.
            self.get_kernel(kernel_id).last_activity = datetime.now(UTC)

    async def state(self, kernel_id: str) -> str:
        """How a session stands: running, or why it has ended."""
        if kernel_id in self._ended:
            return self._ended[kernel_id]
        if kernel_id not in self or kernel_id in self._leaving:
            return UNKNOWN
        if not await self.get_kernel(kernel_id).is_alive():
            await self.end(kernel_id, DIED)
            return DIED
        return RUNNING

    async def end(self, kernel_id: str, reason: str) -> None:
        """End a session and remember why, for its page to say."""
        self._ended[kernel_id] = reason
        while len(self._ended) > _REMEMBERED:
            self._ended.pop(next(iter(self._ended)))
        await self.shutdown_kernel(kernel_id, now=True)

    async def shutdown_kernel(self, kernel_id: str, *arguments: Any, **options: Any) -> None:
        """Shut down; the place is free from now on, not only when the process has gone."""
        if kernel_id in self._leaving:
            return
        self._leaving.add(kernel_id)
        try:
            await super().shutdown_kernel(kernel_id, *arguments, **options)
        finally:
            self._leaving.discard(kernel_id)

    async def shutdown_all(self, now: bool = False) -> None:
        """Shut all kernels down; one that is only starting ends, too, whereas Jupyter would take it for unknown."""
        await asyncio.gather(*(self.shutdown_kernel(kernel_id, now=now) for kernel_id in self.list_kernel_ids()))

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End a session that died, outgrew its memory, was left, or was not used for long."""
        kernel = self._kernels[kernel_id]
        if kernel_id in self._leaving or not getattr(kernel, "last_activity", None):
            return
        if not await kernel.is_alive():
            await self.end(kernel_id, DIED)
        elif _megabytes(kernel) > self.most_session_megabytes:
            await self.end(kernel_id, TOO_LARGE)
        elif kernel.execution_state != "busy":
            idle = (datetime.now(UTC) - kernel.last_activity).total_seconds()
            connected = self._kernel_connections.get(kernel_id, 0) > 0
            # No page has left a kernel that is still kept ready for one.
            if kernel_id not in self._pooled() and idle > (
                self.idle_seconds if connected else self.disconnected_seconds
            ):
                await self.end(kernel_id, IDLE)


def visitor_at(address: str) -> str:
    """Who is at an IP address, as far as can be told: with IPv6, whoever has the network of 64 bits around it."""
    try:
        return str(ipaddress.IPv6Network((address.partition("%")[0], 64), strict=False))
    except ValueError:
        return address


def _megabytes(kernel: Any) -> float:
    """Resident memory of a kernel's process."""
    process = getattr(getattr(kernel, "provisioner", None), "process", None)
    try:
        return float(psutil.Process(process.pid).memory_info().rss) / 2**20 if process else 0.0
    except psutil.Error:
        return 0.0
