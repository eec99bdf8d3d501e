"""Make the README's picture: ``.venv/bin/python docs/picture.py`` (needs Chromium; writes .github/explorer.png)."""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser import CHROMIUM_FLAGS, chromium_path, open_page, serve_notebook

TARGET = Path(__file__).resolve().parent.parent / ".github" / "explorer.png"
CELL = """
import dgemma_viz as dv
from dgemma_viz.labs.run import run

from dgemma_viz.tiny.tasks import TASKS

prompt = TASKS["gifts"].example_prompts[0]
explorer = dv.explore(run(*dv.load_tiny(), prompt, seed=1))
explorer.place = {"step": 18, "position": 10}
explorer
"""


def main() -> None:
    """Serve one explorer, wait until it has painted, write the picture."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        with serve_notebook(CELL) as url, open_page(browser, url, width=1280, height=1000) as visit:
            visit.page.get_by_text("How the canvas came to rest").wait_for()
            visit.page.wait_for_timeout(3000)
            visit.page.screenshot(path=TARGET, full_page=True)
        browser.close()
    print(f"written: {TARGET}")


if __name__ == "__main__":
    main()
