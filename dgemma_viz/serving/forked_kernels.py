"""Kernels as forks of one process that has the libraries loaded: a page is ready sooner, and the memory is shared.

A kernel that imports torch and transformers for itself computes for seconds and holds them once more. Here Python's
own fork server (``multiprocessing``) imports :mod:`dgemma_viz.serving.warm_imports` once; a kernel is a fork of it that
runs ipykernel as ever. The fork server runs no notebook, so nothing that one visitor wrote reaches another. Only on
Linux: elsewhere a fork may break system libraries.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import Future
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

if TYPE_CHECKING:
    from jupyter_client.connect import KernelConnectionInfo

AVAILABLE = sys.platform == "linux"
_WARM = "dgemma_viz.serving.warm_imports"
_LAUNCHER = ["-m", "ipykernel_launcher"]


def heat() -> None:
    """Start the process that kernels are forked from, and wait until it is warm (seconds)."""
    with suppress(OSError, EOFError):  # it failed; whoever starts a kernel will log it
        _fork(_nothing).join()


def process_name(kernel_id: str) -> str:
    """What ``ps`` and ``top`` call the process of a kernel; Linux has room for 15 characters."""
    return f"kernel-{kernel_id[:8]}"


class ForkingProvisioner(LocalProvisioner):
    """Forks Python kernels of this environment; starts others as Jupyter does."""

    async def launch_kernel(self, cmd: list[str], **options: Any) -> KernelConnectionInfo:
        """Start the kernel."""
        if not _is_of_this_environment(cmd):
            return await super().launch_kernel(cmd, **options)
        arguments, folder = cmd[1 + len(_LAUNCHER) :], options.get("cwd")
        environment = dict(options.get("env") or os.environ)
        try:
            process = await _forked(_run_kernel, self.kernel_id, arguments, environment, folder)
        except (OSError, EOFError):
            self.log.warning("a kernel could not be forked; it is started afresh", exc_info=True)
            return await super().launch_kernel(cmd, **options)
        self.process = _Forked(process)  # type: ignore[assignment]
        self.pid = self.pgid = process.pid
        self.cwd = folder or Path.cwd()
        return self.connection_info


class _Forked:
    """A forked process under the names of ``subprocess.Popen`` that the provisioner uses.

    ``multiprocessing`` hears of its end from the fork server; when that is gone, each process seems to have ended. The
    system knows better.
    """

    stdin = stdout = stderr = None

    def __init__(self, process: BaseProcess) -> None:
        self._process = process
        self.pid: int = process.pid or 0
        try:
            self._seen: psutil.Process | None = psutil.Process(self.pid)
        except psutil.NoSuchProcess:
            self._seen = None

    def poll(self) -> int | None:
        code = self._process.exitcode
        return None if code is not None and self._runs() else code

    def wait(self) -> int | None:
        self._process.join()
        return self._process.exitcode

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: int) -> None:
        if self._seen:
            with suppress(psutil.NoSuchProcess):
                self._seen.send_signal(number)

    def _runs(self) -> bool:
        try:
            return self._seen is not None and self._seen.is_running() and self._seen.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def _fork(target: Any, *arguments: Any) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_WARM])
    process = context.Process(target=target, args=arguments, daemon=True)  # daemon: ends with the server
    process.start()
    return process


async def _forked(target: Any, *arguments: Any) -> BaseProcess:
    """Fork in a daemon thread: while the fork server warms up, one of asyncio's would keep this server from ending."""
    made: Future[BaseProcess] = Future()

    def fork() -> None:
        try:
            made.set_result(_fork(target, *arguments))
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            made.set_exception(error)

    threading.Thread(target=fork, daemon=True).start()
    return await asyncio.wrap_future(made)


def _nothing() -> None:
    pass


def _run_kernel(kernel_id: str, arguments: list[str], environment: dict[str, str], folder: str | None) -> None:
    """In the fork: what ``python -m ipykernel_launcher`` does in a new process."""
    import numpy as np
    import torch
    from ipykernel.kernelapp import launch_new_instance

    os.setsid()  # signals to the server's terminal are not for its kernels
    Path("/proc/self/comm").write_text(process_name(kernel_id))
    os.environ.clear()
    os.environ.update(environment)
    threading.Thread(target=_end_with_server, daemon=True).start()
    if folder:
        os.chdir(folder)
    multiprocessing.current_process().daemon = False  # a notebook may start processes
    np.random.seed()  # noqa: NPY002  # the global generator, which a fork copies
    # torch makes its thread pool anew at the first use after a fork. If several threads come first, as when weights are
    # loaded, one can find none ("Invalid thread pool"; caffe2/utils/threadpool/pthreadpool-cpp.cc).
    torch.set_num_threads(torch.get_num_threads())
    sys.argv = [_LAUNCHER[-1], *arguments]
    own = [
        "--IPKernelApp.parent_handle=1",  # ipykernel does not watch that one; its parent here is the fork server
        "--InteractiveShellApp.extra_extensions=ipywidgets",  # tqdm imported them when there was no kernel
    ]
    launch_new_instance([*arguments, *own])


def _end_with_server() -> None:
    if server := multiprocessing.parent_process():
        server.join()
        os._exit(1)


def _is_of_this_environment(cmd: list[str]) -> bool:
    return cmd[1 : 1 + len(_LAUNCHER)] == _LAUNCHER and Path(cmd[0]) == Path(sys.executable)
