"""The explorer in JupyterLab and in Notebook 7: it is shown, steps by key, moves its charts, and asks no other host."""

import pytest
from playwright.sync_api import expect

from tests.browser import open_page
from tests.front_ends import FRONT_ENDS, run_cell, serve_in
from tests.synthetic import synthetic_trace


@pytest.mark.browser
@pytest.mark.parametrize("front", FRONT_ENDS)
def test_the_explorer_works_in(front, chromium, tmp_path):
    path = tmp_path / "run.safetensors"
    synthetic_trace(length=12, steps=6).save(path)
    cells = [
        "import dgemma_viz as dv",
        f"explorer = dv.explore({str(path)!r})\nexplorer",
        "print(explorer.step, explorer.position)",
    ]
    with (
        serve_in(front, cells) as url,
        open_page(chromium, url, wait_for=".jp-Notebook .jp-CodeCell .cm-content") as visit,
    ):
        page = visit.page
        run_cell(page, 0)
        run_cell(page, 1)
        token = page.locator(".dgv-token").first
        token.wait_for()
        page.locator(".js-plotly-plot .main-svg").first.wait_for()
        page.get_by_role("slider", name="Denoising step").first.press("ArrowRight")
        page.get_by_text("step 1 of 5").first.wait_for()
        token.click()
        page.get_by_text("Position 0 at step 1").wait_for()
        page.keyboard.press("/")
        page.keyboard.type("xaddvbm")  # keys with which a notebook cuts, adds and deletes cells
        page.keyboard.press("Enter")
        expect(page.locator(".dgq-field")).to_have_value("xaddvbm")
        expect(page.locator(".dgq-summary")).to_contain_text("Found nowhere")
        page.keyboard.press("Escape")
        expect(page.locator(".jp-Notebook .jp-CodeCell")).to_have_count(len(cells))
        run_cell(page, 2)
        expect(page.locator(".jp-OutputArea-output pre").last).to_have_text("1 0\n")
        assert visit.other_hosts == set()
