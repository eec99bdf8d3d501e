"""What is shown, opened as an exported file: the fastest host, without a kernel that could help it."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dgemma_viz as dv
from tests.browser import open_page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.browser import Visit

CANVAS = "#views=canvas"
"""The tokens alone: charts are not drawn."""
DRAWN = ".dgp-figure[aria-label]"
"""A chart that has come to rest; a CSS selector."""


@contextmanager
def exported(
    browser: Browser, what: Any, reference: Any = None, *, at: str = "", dark: bool = False, **how: Any
) -> Iterator[Visit]:
    """Open it ``at`` an address; afterwards nothing has failed there, and nothing was asked for but the file."""
    with tempfile.TemporaryDirectory() as folder:
        path = dv.export_html(what, Path(folder) / "page.html", reference)
        with open_page(browser, f"{path.as_uri()}{at}", **how) as visit:
            if dark:
                visit.page.emulate_media(color_scheme="dark")
                visit.page.locator(".dge-dark").wait_for()
            yield visit
            assert visit.console_errors == []
            assert [url for url in visit.requests if not url.startswith((path.as_uri(), "blob:"))] == []


def go(page: Page, address: str) -> None:
    """Go to a place as an address says it, and wait until it is there."""
    page.evaluate("(address) => (location.hash = `${address}&at=${performance.now()}`)", address)  # never what it was
    page.wait_for_timeout(50)


def step_of(page: Page, canvas: int = 0) -> int:
    """The step that a token canvas shows."""
    return int(page.locator(".dgv").nth(canvas).get_attribute("data-step") or -1)


def tokens(page: Page) -> list[str]:
    """The texts of the tokens on the page, without marks of spaces."""
    return [text.replace("␣", "").strip() for text in page.locator(".dgv-token").all_inner_texts()]
