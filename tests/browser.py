"""Voila and Chromium for browser tests: serve a notebook, open it headless, note what the page did.

The fixtures ``chromium`` and ``serve`` are there for all tests (``tests/conftest.py``)::

    with serve("import dgemma_viz as dv\ndv.explore(...)") as url, open_page(chromium, url) as visit:
        visit.page.get_by_role("slider").press("ArrowRight")
        assert not visit.console_errors
        assert visit.other_hosts == set()

One Voila serves the notebooks of all tests, and its kernels are forks of one process that has torch loaded: starting
both anew for every page would take most of the suite's time.

Only processes that were started here are ended. A missing Chromium fails, it does not skip: set
``DGEMMA_VIZ_CHROMIUM`` to its path, or install it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import nbformat
import pytest

from dgemma_viz.serving.forked_kernels import AVAILABLE
from dgemma_viz.views.plotly_module import ADDRESS_VARIABLE
from tests.chromium import VARIABLE, installed_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from playwright.sync_api import Browser, ConsoleMessage, Page

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "dgemma_viz" / "serving" / "jupyter"
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
READY_SECONDS = 60
PATIENCE = 120_000
"""Milliseconds for whatever a page has to wait for: a cold kernel on a busy machine. Playwright's own 5 s are none."""
NOT_FOR_VOILA = "@jupyter-notebook/lab-extension"
"""Notebook 7's own extension: it is installed for its tests, and fails in every page of Voila."""
SHARES = "[data-title^='Share chart'], [aria-label^='Share chart']"
"""Plotly's button that uploads a chart; a CSS selector."""
_SHARED = (
    "--VoilaConfiguration.show_tracebacks=True",
    "--VoilaConfiguration.multi_kernel_manager_class=dgemma_viz.serving.sessions.SessionManager",
    f"--SessionManager.forked={AVAILABLE}",
    "--SessionManager.cull_idle_timeout=5",  # ends kernels whose page is gone; 0 would end none
    "--SessionManager.cull_interval=5",
)
COMPLETE = "body:not(:has(> #loading)) #rendered_cells"
"""A dashboard of which all parts are there, not only the text; a CSS selector."""


class Serve(Protocol):
    """What the fixture ``serve`` is."""

    def __call__(
        self, notebook: str | Sequence[str] | Path, *, theme: str = "light"
    ) -> AbstractContextManager[str]: ...


@dataclass
class Visit:
    """An open page and what it did so far."""

    page: Page
    origin: str
    console_errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    @property
    def other_hosts(self) -> set[str]:
        """Hosts that the page asked for something, other than the server."""
        hosts = {
            urlsplit(url).netloc for url in self.requests if urlsplit(url).scheme in {"http", "https", "ws", "wss"}
        }
        return hosts - {self.origin}


def chromium_path() -> str:
    """Chromium or Chrome of this machine; fails the test, with the remedy, where there is none."""
    path = installed_chromium()
    if path and not Path(path).exists():
        pytest.fail(f"{VARIABLE} names '{path}', which does not exist", pytrace=False)
    if not path:
        pytest.fail(
            f"browser tests need Chromium: install it (Debian: apt-get install chromium), or set {VARIABLE} to the "
            "path of Chromium or Chrome; leave them out with -m 'not browser'",
            pytrace=False,
        )
    return path


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One headless Chromium for all browser tests."""
    path = chromium_path()
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def serve() -> Iterator[Serve]:
    """One Voila for all browser tests: ``with serve(notebook) as url``; see :func:`serve_notebook`."""
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as name, _voila(Path(name), _SHARED) as address:
        numbers = count()

        @contextmanager
        def serve_beside(notebook: str | Sequence[str] | Path, *, theme: str = "light") -> Iterator[str]:
            file = f"page{next(numbers)}.ipynb"
            _write(notebook, Path(name) / file)
            yield f"{address}voila/render/{file}?theme={theme}"

        yield serve_beside


@contextmanager
def serve_notebook(notebook: str | Sequence[str] | Path, *, arguments: Sequence[str] = ()) -> Iterator[str]:
    """Run a Voila of its own, with our template, on a free port of 127.0.0.1 and yield the page's address.

    Parameters
    ----------
    notebook
        Source of one code cell, of several, or the path of a notebook.
    arguments
        More arguments for Voila.
    """
    with tempfile.TemporaryDirectory(prefix="dgemma-viz-") as name:
        path = Path(name) / "page.ipynb"
        _write(notebook, path)
        with _voila(path, arguments) as address:
            yield address


@contextmanager
def _voila(served: Path, arguments: Sequence[str]) -> Iterator[str]:
    """Voila on a notebook or on a folder of them; yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "voila", str(served), "--no-browser", "--Voila.ip=127.0.0.1", f"--port={port}"]
    command += ["--Voila.port_retries=0", "--template=dgemma", *arguments]
    command += [f"--VoilaConfiguration.extension_denylist={NOT_FOR_VOILA}"]
    folder = served if served.is_dir() else served.parent
    with (folder / "voila.log").open("w+") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=_environment(), cwd=folder, start_new_session=True
        )
        try:
            _wait_until_ready(process, port, Path(log.name))
            yield f"http://127.0.0.1:{port}/"
        finally:
            end_process(process)


@contextmanager
def serve_dashboards(
    *arguments: str, environment: dict[str, str] | None = None, log_file: Path | None = None
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `dgemma-viz serve` on a free port, in a folder that is not the checkout; yields its address and process.

    Parameters
    ----------
    arguments
        Of the command; ``--port`` is added unless it is among them.
    environment
        Variables besides those of the test run.
    log_file
        Where to put what the server prints, if somebody wants to read it.
    """
    port = [] if "--port" in arguments else ["--port", str(free_port())]
    command = [sys.executable, "-m", "dgemma_viz.cli", "serve", *arguments, *port]
    variables = {**_environment(), "PYTHONUNBUFFERED": "1", **(environment or {})}
    variables.pop("JUPYTER_PATH", None)  # the command finds its template by itself
    with (
        tempfile.TemporaryDirectory(prefix="dgemma-viz-") as folder,
        (log_file or Path(folder) / "log").open("w+") as log,
    ):
        process = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True, env=variables, cwd=folder
        )
        try:
            deadline = time.monotonic() + READY_SECONDS
            while "dgemma_viz dashboard: " not in (printed := Path(log.name).read_text()):
                assert process.poll() is None, printed
                assert time.monotonic() < deadline, printed
                time.sleep(0.2)
            yield printed.split("dgemma_viz dashboard: ")[1].split()[0], process
        finally:
            end_process(process)
    assert process.returncode in (0, -signal.SIGINT, -signal.SIGKILL)


@contextmanager
def open_page(
    browser: Browser,
    url: str,
    *,
    width: int = 1280,
    height: int = 900,
    wait_for: str | None = ".dgv-token",
    timeout: float = PATIENCE / 1000,
    whole: bool = True,
) -> Iterator[Visit]:
    """Open an address in a fresh context and wait until ``wait_for`` (a CSS selector) is visible.

    Not ``whole``: look at the page while it still comes.

    What a press of a control changes comes by way of the kernel, in messages of its own: tests wait for each thing that
    they look at (``expect``, ``wait_for``), rather than read it when another has arrived.
    """
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    page.set_default_timeout(timeout * 1000)
    visit = Visit(page, urlsplit(url).netloc)
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("websocket", lambda websocket: visit.requests.append(websocket.url))
    page.on("pageerror", lambda error: visit.console_errors.append(f"uncaught: {error}"))

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            visit.console_errors.append(message.text)

    page.on("console", note)
    try:
        page.goto(url, wait_until="domcontentloaded" if whole else "commit")
        if wait_for:
            page.locator(wait_for).first.wait_for(state="visible")
        yield visit
    finally:
        context.close()


def assert_fits(page: Page, within: str = "document.documentElement") -> None:
    """Nothing is wider than its place; charts, which take their width some frames after they are drawn, get time to."""
    page.wait_for_timeout(500)
    until(page, f"{within}.scrollWidth <= {within}.clientWidth")


def until(page: Page, expression: str, arg: Any = None) -> None:
    """Wait until an expression is true; also where the page's policy forbids what Playwright's own waiting needs."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"not within {PATIENCE} ms: {expression}"
        page.wait_for_timeout(50)


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def end_process(process: subprocess.Popen[bytes], patience: float = 60) -> None:
    """End one process that was started with ``start_new_session=True``, and the kernels that it started."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _write(notebook: str | Sequence[str] | Path, path: Path) -> None:
    if isinstance(notebook, Path):
        shutil.copyfile(notebook, path)
        return
    cells = [notebook] if isinstance(notebook, str) else notebook
    document = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    document.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(document, path)


def environment_of_a_user() -> dict[str, str]:
    """The environment of the test run, without what a server left there that a test began in this process."""
    return {name: value for name, value in os.environ.items() if name != ADDRESS_VARIABLE}


def _environment() -> dict[str, str]:
    """The same with our template and this checkout's package; nothing is fetched."""
    environment = environment_of_a_user()
    for name, first in (("JUPYTER_PATH", TEMPLATES), ("PYTHONPATH", ROOT)):
        environment[name] = os.pathsep.join([str(first), *filter(None, [environment.get(name)])])
    environment |= {"HF_HUB_OFFLINE": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return environment


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server answers; Voila's static files come without starting a kernel."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/voila/static/voila.js", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    end_process(process)
    pytest.fail(f"Voila did not start within {READY_SECONDS} s; its log:\n{log.read_text()[-4000:]}", pytrace=False)
