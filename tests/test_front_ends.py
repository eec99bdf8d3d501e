"""The explorer in JupyterLab and in Notebook 7: it is shown, steps by key, moves its charts, and asks no other host."""

import pytest

from tests.browser import open_page
from tests.front_ends import FRONT_ENDS, run_cell, serve_in
from tests.synthetic import synthetic_trace

PATIENCE = 90_000  # ms


@pytest.mark.browser
@pytest.mark.parametrize("front", FRONT_ENDS)
def test_the_explorer_works_in(front, chromium, tmp_path):
    path = tmp_path / "run.safetensors"
    synthetic_trace(length=12, steps=6).save(path)
    cells = [
        "import dgemma_viz as dv",
        f"explorer = dv.explore({str(path)!r})\nexplorer",
        "print(explorer.selection.step)",
    ]
    with (
        serve_in(front, cells) as url,
        open_page(chromium, url, wait_for=".jp-Notebook .jp-CodeCell .cm-content") as visit,
    ):
        page = visit.page
        run_cell(page, 0)
        run_cell(page, 1)
        token = page.locator(".dgv-token").first
        token.wait_for(timeout=PATIENCE)
        page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
        page.get_by_role("slider", name="Denoising step").first.press("ArrowRight")
        page.get_by_text("step 1 of 5").first.wait_for(timeout=PATIENCE)
        run_cell(page, 2)
        printed = page.locator(".jp-OutputArea-output pre", has_text="1")
        printed.first.wait_for(timeout=PATIENCE)
        assert printed.last.inner_text().strip() == "1"
        assert visit.other_hosts == set()
