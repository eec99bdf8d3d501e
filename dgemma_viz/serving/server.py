"""Voila, started with our template and settings that suit a page for other people.

Voila runs in this process, as its own command would run it: only the chosen notebook is served, sources are stripped,
tracebacks are not shown, and nothing is asked of another host. The template lies inside the package; Jupyter finds it
through ``JUPYTER_PATH``, which is set for this process and the kernels that it starts.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dgemma_viz.errors import SettingError
from dgemma_viz.serving.notebooks import find_notebook

TEMPLATES = Path(__file__).parent / "jupyter"
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class ServeOptions:
    """How to serve.

    Attributes
    ----------
    notebook
        Path of a notebook, or the start of a published one's name; None for the first.
    host, port
        Address to listen on; ``port`` None takes 8866 or the next free one.
    theme
        ``"light"`` or ``"dark"``.
    open_browser
        Open the page in the default browser.
    """

    notebook: str | None = None
    host: str = "127.0.0.1"
    port: int | None = None
    theme: Literal["light", "dark"] = "light"
    open_browser: bool = False


def serve(options: ServeOptions) -> None:
    """Serve until interrupted.

    Raises
    ------
    SettingError
        No such notebook, an impossible port, or one that is taken.
    """
    notebook = find_notebook(options.notebook)
    port = _choose_port(options)
    _prepare_environment()
    application = _application_class()
    arguments = [
        str(notebook),
        f"--Voila.ip={options.host}",
        f"--port={port}",
        "--Voila.port_retries=0",
        f"--Voila.open_browser={options.open_browser}",
        "--template=dgemma",
        f"--theme={options.theme}",
        "--VoilaConfiguration.allow_template_override=NO",
        "--VoilaConfiguration.strip_sources=True",
        "--VoilaConfiguration.show_tracebacks=False",
        "--VoilaConfiguration.file_allowlist=^$",
        "--Voila.log_level=ERROR",
        # A closed tab leaves its kernel behind; half a gigabyte each, with the model loaded.
        "--MappingKernelManager.cull_idle_timeout=600",
        "--MappingKernelManager.cull_interval=60",
    ]
    application.launch_instance(argv=arguments)


def _choose_port(options: ServeOptions) -> int:
    if options.port is not None and not 0 < options.port <= _HIGHEST_PORT:
        raise SettingError(f"port {options.port} is not a port; choose one from 1 to {_HIGHEST_PORT}")
    wanted = [options.port] if options.port is not None else list(range(8866, 8886))
    for port in wanted:
        with socket.socket(socket.AF_INET6 if ":" in options.host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((options.host, port))
            except socket.gaierror as error:
                raise SettingError(f"'{options.host}' is not an address of this machine; try 127.0.0.1") from error
            except OSError:
                continue
            return port
    if options.port is not None:
        raise SettingError(f"port {options.port} on {options.host} is taken or not allowed; choose another with --port")
    raise SettingError(f"ports {wanted[0]} to {wanted[-1]} on {options.host} are all taken; choose one with --port")


def _prepare_environment() -> None:
    paths = [str(TEMPLATES), *filter(None, [os.environ.get("JUPYTER_PATH")])]
    os.environ["JUPYTER_PATH"] = os.pathsep.join(paths)
    # A dashboard for strangers never reaches out: the bundled model is on disk.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # Kernels of several visitors share the cores; the bundled model is too small to gain from threads.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


def _application_class() -> Any:
    from tornado.ioloop import IOLoop
    from voila.app import Voila

    class DashboardServer(Voila):  # type: ignore[misc]
        """Voila that says where it is once it really listens."""

        def listen(self) -> None:
            IOLoop.current().add_callback(self._announce)
            super().listen()

        def _announce(self) -> None:
            host = f"[{self.ip}]" if ":" in self.ip else self.ip
            print(f"dgemma_viz dashboard: http://{host}:{self.port}/  (Ctrl-C stops it)", flush=True)

    return DashboardServer
