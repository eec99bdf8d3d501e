"""The viewer in marimo, whose widgets stand in shadow trees and know no others: by pointer and key, and in the dark."""

import pytest
from playwright.sync_api import expect

from tests.browser import open_page
from tests.front_ends import serve_in_marimo
from tests.synthetic import synthetic_trace

DARK_PAGES_INK = "rgb(232, 233, 235)"


@pytest.mark.browser
def test_explore_works_in_marimo(chromium, tmp_path):
    path = tmp_path / "run.safetensors"
    synthetic_trace(canvases=2, length=12, steps=[[4], [3]]).save(path)
    cell = f"dv.explore({str(path)!r})"
    with (
        serve_in_marimo([cell], theme="dark") as url,
        open_page(chromium, url) as visit,
    ):
        page = visit.page
        slider = page.get_by_role("slider", name="Denoising step")
        slider.press("ArrowRight")
        page.get_by_text("step 1 of 3", exact=True).wait_for()
        page.get_by_label("Canvas", exact=True).and_(page.locator("select")).select_option(
            index=1
        )  # asked of the kernel
        page.get_by_text("step 0 of 2", exact=True).wait_for()
        page.locator(".js-plotly-plot .main-svg").first.wait_for()

        page.locator(".dgv-token").nth(3).click()
        page.get_by_text("Position 3 at step 0", exact=True).wait_for()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.get_by_text("Position 4 at step 0", exact=True).wait_for()
        page.keyboard.press(".")
        page.get_by_text("Position 4 at step 1", exact=True).wait_for()
        page.keyboard.press("v")
        expect(page.locator(".dgx-head")).to_be_hidden()
        page.keyboard.press("v")
        first, second = (page.locator(".dgf-finding").nth(number) for number in range(2))
        expect(first).to_be_visible()  # what is hidden takes no focus
        first.press("ArrowDown")
        expect(second).to_be_focused()
        second.press("Enter")
        expect(second).to_have_attribute("aria-expanded", "true")

        for part in (".dgx-head", ".dgf", ".dgv", ".dge-history", ".dgx-words"):
            expect(page.locator(part).first).to_have_css("color", DARK_PAGES_INK)
        assert visit.console_errors == []
        assert visit.other_hosts == set()
