"""A notebook opened in Voila or JupyterLab by headless Chromium, with ``watched_page.js`` in the page.

The kernel is pre-heated: Voila keeps one that has run the first cell's imports, JupyterLab has run the first cell.
What is timed is what opens the trace.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import serve_notebook
from tests.front_ends import run_cell, serve_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from playwright.sync_api import Browser, Page

WATCH = Path(__file__).with_name("watched_page.js")
WIDTH, HEIGHT = 1280, 1000
_PATIENCE = 60_000


@contextmanager
def opened(browser: Browser, front: str, cells: Sequence[str], delay: int = 0) -> Iterator[Page]:
    """The page of a notebook of two cells, imports and views, at the moment at which the views are asked for.

    ``delay``: milliseconds put before each message to the kernel.
    """
    context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
    context.add_init_script(f"globalThis.dgvDelay = {delay};")
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
    with serve_in("jupyterlab", cells) as url:
        page.goto(url, timeout=_PATIENCE)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=_PATIENCE)
        page.locator(".jp-NotebookPanel-toolbar [data-status=idle]").first.wait_for(timeout=_PATIENCE)
        run_cell(page, 0)
        page.locator(".jp-InputPrompt", has_text=re.compile(r"\[\d+\]:")).first.wait_for(timeout=_PATIENCE)
        page.wait_for_timeout(1_000)
        page.evaluate("dgvWatch.arm()")
        page.keyboard.press("Shift+Enter")
        yield


_FRONTS = {"voila": _voila, "jupyterlab": _lab}
FRONTS = tuple(_FRONTS)
