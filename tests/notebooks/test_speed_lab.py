"""The speed lab in the browser: move a setting, read the answer, make a mistake."""

import pytest
from playwright.sync_api import expect

from dgemma_viz.serving.notebooks import find_notebook
from tests.accessibility import assert_accessible_in_both_looks
from tests.browser import SHARES, open_page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def visit(chromium, serve):
    with (
        serve(find_notebook("speed_lab")) as url,
        open_page(chromium, url, width=1300, wait_for=".dgv-speed-ways") as visit,
    ):
        yield visit


def test_a_reader_sets_and_reads(visit):
    page = visit.page
    row = page.locator(".dgv-speed-ways tr", has_text="diffusion").locator("td").first
    expect(row).to_have_text("1,002")
    page.get_by_label("Steps of a canvas", exact=True).fill("4")
    page.keyboard.press("Tab")
    expect(row).not_to_have_text("1,002")
    assert float(row.inner_text().replace(",", "")) > 3000
    page.get_by_label("Device", exact=True).select_option("RTX 4070")
    page.get_by_role("alert").get_by_text("needs 26 GB").wait_for()
    page.get_by_role("button", name="Defaults").click()
    page.get_by_role("alert").wait_for(state="detached")
    expect(row).to_have_text("1,002")
    page.get_by_text("Efficiency factors").click()
    page.get_by_label("Diffusion: fixed part", exact=True).wait_for()
    expect(page.locator(".js-plotly-plot")).to_have_count(3)
    expect(page.locator(SHARES)).to_have_count(0)
    assert not visit.console_errors


def test_axe_finds_nothing_serious(visit):
    assert_accessible_in_both_looks(visit.page)
