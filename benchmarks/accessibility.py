"""What axe finds serious or critical on every dashboard that is served, light and dark.

python benchmarks/accessibility.py            # all dashboards: minutes
python benchmarks/accessibility.py 05 sampler # those whose address has one of these in it
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.accessibility import switch_theme, violations
from tests.browser import CHROMIUM_FLAGS, COMPLETE, chromium_path, open_page, serve_dashboards

if TYPE_CHECKING:
    from playwright.sync_api import Page

QUIET = 4


def main(wanted: list[str]) -> int:
    """Open every dashboard; the exit status says whether axe found something."""
    bad = 0
    with sync_playwright() as playwright, serve_dashboards() as (address, _):
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        with open_page(browser, address, wait_for="main") as visit:
            links = visit.page.eval_on_selector_all("h3 a", "(links) => links.map((link) => link.href)")
        for link in [link for link in links if not wanted or any(part in link for part in wanted)]:
            with open_page(browser, link, wait_for=COMPLETE, timeout=300) as visit:
                wait_until_drawn(visit.page)
                for theme in ("light", "dark"):
                    switch_theme(visit.page, theme)
                    found = violations(visit.page)
                    bad += len(found)
                    print(f"{link.rsplit('/', 1)[-1]}, {theme}: {len(found)}", *found, sep="\n  ", flush=True)
        browser.close()
    return int(bad > 0)


def wait_until_drawn(page: Page, seconds: int = 120) -> None:
    """Until the page has not grown for as many seconds as QUIET says."""
    sizes: list[int] = []
    while len(sizes) < seconds and (len(sizes) < QUIET or len(set(sizes[-QUIET:])) > 1):
        sizes.append(page.evaluate("document.querySelectorAll('*').length"))
        page.wait_for_timeout(1000)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
