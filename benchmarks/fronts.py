"""A notebook opened in Voila or JupyterLab by headless Chromium, with ``watched_page.js`` in the page.

The kernel is pre-heated: Voila keeps one that has run the first cell's imports, JupyterLab has run the first cell.
What is timed is what opens the trace.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from tests.browser import end_process, free_port, serve_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page

WATCH = Path(__file__).with_name("watched_page.js")
WIDTH, HEIGHT = 1280, 1000
_PATIENCE = 60_000
_QUIET_LAB = {"fetchNews": "false", "checkForUpdates": False}


@contextmanager
def opened(browser: Browser, front: str, cells: Sequence[str]) -> Iterator[Page]:
    """The page of a notebook of two cells, imports and views, at the moment at which the views are asked for."""
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.add_init_script(path=WATCH)
    page = context.new_page()
    try:
        with _FRONTS[front](page, cells):
            yield page
    finally:
        context.close()


@contextmanager
def _voila(page: Page, cells: Sequence[str]) -> Iterator[None]:
    arguments = ["--preheat_kernel=True", "--pool_size=1"]
    with serve_notebook(cells, arguments=arguments) as url:
        page.wait_for_timeout(5_000)
        page.goto(url, wait_until="commit", timeout=_PATIENCE)
        yield


@contextmanager
def _lab(page: Page, cells: Sequence[str]) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as folder, _lab_server(Path(folder), cells) as url:
        page.goto(f"{url}lab/tree/page.ipynb?reset", timeout=_PATIENCE)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=_PATIENCE)
        page.locator(".jp-NotebookPanel-toolbar [data-status=idle]").first.wait_for(timeout=_PATIENCE)
        page.locator(".jp-Notebook .jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        page.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]:")).first.wait_for(timeout=_PATIENCE)
        page.wait_for_timeout(1_000)
        page.evaluate("dgvWatch.arm()")
        page.keyboard.press("Shift+Enter")
        yield


@contextmanager
def _lab_server(folder: Path, cells: Sequence[str]) -> Iterator[str]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    (folder / "work").mkdir()
    nbformat.write(notebook, folder / "work" / "page.ipynb")
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text(json.dumps(_QUIET_LAB))
    port = free_port()
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=", "--allow-root"]
    command += [f"--ServerApp.root_dir={folder / 'work'}"]
    places = {
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "spaces",
        "JUPYTER_CONFIG_DIR": "config",
    }
    environment = os.environ | {name: str(folder / place) for name, place in places.items()}
    with (folder / "lab.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=folder, start_new_session=True
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", process, folder / "lab.log")
            yield f"http://127.0.0.1:{port}/"
        finally:
            end_process(process)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE / 1000
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own server
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start; its log:\n{log.read_text()[-4000:]}")


_FRONTS = {"voila": _voila, "jupyterlab": _lab}
FRONTS = tuple(_FRONTS)
