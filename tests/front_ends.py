"""JupyterLab, Notebook 7 and marimo for browser tests and benchmarks: a notebook served, without tokens or settings."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import nbformat
from nbformat import NotebookNode
from playwright.sync_api import Error as PlaywrightError

from tests.browser import ROOT, end_process, environment_of_a_user, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Page

_READY_SECONDS = 90
_CELL_SECONDS = 180
_QUIET = {"fetchNews": "false", "checkForUpdates": False}
_ADDRESSES = {"jupyterlab": "lab/tree/page.ipynb?reset", "notebook": "notebooks/page.ipynb"}
FRONT_ENDS = tuple(_ADDRESSES)


@contextmanager
def serve_in(front: str, cells: Sequence[str] | NotebookNode) -> Iterator[str]:
    """Serve a notebook, or one of these cells, by one of :data:`FRONT_ENDS` on a free port; yields its address."""
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as name:
        folder, port = Path(name), free_port()
        _write(folder, cells)
        command = [sys.executable, "-m", front, "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
        command += [
            "--ServerApp.port_retries=0",
            "--IdentityProvider.token=",
            f"--ServerApp.root_dir={folder / 'work'}",
        ]
        places = {
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "spaces",
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
        }
        environment = environment_of_a_user() | {name: str(folder / place) for name, place in places.items()}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder, start_new_session=True
            )
            try:
                _wait_for(f"http://127.0.0.1:{port}/api", process, folder / "log")
                yield f"http://127.0.0.1:{port}/{_ADDRESSES[front]}"
            finally:
                end_process(process)


@contextmanager
def serve_in_marimo(cells: Sequence[str], *, theme: str = "light") -> Iterator[str]:
    """Serve a notebook of these cells as an app of marimo; ``dv`` and ``mo`` are known in them. Yields its address."""
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as name:
        folder, port = Path(name), free_port()
        (folder / "pyproject.toml").write_text(f'[tool.marimo.display]\ntheme = "{theme}"\n', encoding="utf-8")
        (folder / "page.py").write_text("\n".join([_MARIMO, *map(_marimo_cell, cells)]), encoding="utf-8")
        command = [sys.executable, "-m", "marimo", "run", "page.py", "--headless", "--no-token", "--host=127.0.0.1"]
        places = {name: str(folder) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME")}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*command, f"--port={port}"],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment_of_a_user() | places | {"PYTHONPATH": path},
                cwd=folder,
                start_new_session=True,
            )
            try:
                _wait_for(f"http://127.0.0.1:{port}/health", process, folder / "log")
                yield f"http://127.0.0.1:{port}/"
            finally:
                end_process(process)


_MARIMO = """\
import marimo
app = marimo.App(width="full")
with app.setup:
    import marimo as mo
    import dgemma_viz as dv
"""


def _marimo_cell(source: str) -> str:
    return f"@app.cell\ndef _():\n{indent(source, '    ')}\n    return\n"


def notebook_of(cells: Sequence[str]) -> NotebookNode:
    """A notebook of these cells, for Python."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def _write(folder: Path, cells: Sequence[str] | NotebookNode) -> None:
    notebook = cells if isinstance(cells, NotebookNode) else notebook_of(cells)
    (folder / "work").mkdir()
    nbformat.write(notebook, folder / "work" / "page.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET))


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server did not start; its log:\n{log.read_text()[-4000:]}")


def run_cell(page: Page, index: int) -> None:
    """Run one cell to its end, when the page has a kernel: it shows an idle one before, and loses what is asked of it.

    A cell whose request was lost may be shown as running for ever: it is run again until it has a number. A dialog in
    the way, such as the question which kernel it shall be, is answered as it proposes.
    """
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(index)
    asked = cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[(\*|\d+)\]:"))
    ended = cell.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]:"))
    deadline = time.monotonic() + _CELL_SECONDS
    while True:
        try:
            while not _has_kernel(page) and time.monotonic() < deadline:
                page.wait_for_timeout(100)
                _answer_dialogs(page)
            cell.locator(".cm-content").click(timeout=10_000)
            page.keyboard.press("Shift+Enter")
            asked.wait_for(timeout=10_000)
            ended.wait_for(timeout=30_000)
        except PlaywrightError:
            if time.monotonic() > deadline:
                raise
            _answer_dialogs(page)
        else:
            return


def _has_kernel(page: Page) -> bool:
    """Whether the page is connected with a kernel that waits for requests, as its server says."""
    kernels = page.request.get(urljoin(page.url, "/api/kernels")).json()
    return any(kernel["connections"] and kernel["execution_state"] == "idle" for kernel in kernels)


def _answer_dialogs(page: Page) -> None:
    for button in page.locator(".jp-Dialog .jp-mod-accept").all():
        with suppress(PlaywrightError):  # it may have gone by itself
            button.click(timeout=2_000)
