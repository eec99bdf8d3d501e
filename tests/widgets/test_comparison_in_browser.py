"""Two linked canvases under Voila in Chromium: they move together, mark what differs, and jump to where it began."""

import pytest
from playwright.sync_api import expect

from tests.browser import assert_fits, open_page, serve_notebook

pytestmark = pytest.mark.browser

PAGE = """
import time
import ipywidgets
import numpy as np
from dataclasses import replace
from IPython.display import display
from dgemma_viz.widgets.comparison import compare
from tests.synthetic import NASTY_TEXTS, TEXTS, synthetic_trace
a = synthetic_trace(length=24, steps=[[12]], texts=(*TEXTS, *NASTY_TEXTS[2:4]))
draft, candidate = np.array(a.draft), np.array(a.candidate)
draft[5, 0, 7] = candidate[4, 0, 7] = 3
draft[9:, 0, [2, 7]] = 3
b = replace(a, draft=draft[:10], candidate=candidate[:10], **{
    name: getattr(a, name)[:10] for name in ("canvas", "step_in_canvas", "noised", "accepted", "decision", "phase",
    "entropy", "confidence", "candidate_probability", "top_k_ids", "top_k_probabilities", "active", "finished",
    "temperature", "entropy_bound", "entropy_spent", "mean_entropy", "stable_steps", "wall_time")}, emitted=draft[9:10])
busy = ipywidgets.Button(description="Keep the kernel busy")
busy.on_click(lambda _: time.sleep(6))
display(compare(a, b), busy)
"""


@pytest.fixture(scope="module")
def url():
    with serve_notebook(PAGE) as url:
        yield url


@pytest.fixture(scope="module")
def visit(chromium, url):
    with open_page(chromium, url, width=1400, height=1600) as visit:
        visit.page.locator(".js-plotly-plot .main-svg").nth(1).wait_for()
        visit.page.locator(".dgv-tokens").nth(1).wait_for()
        yield visit


def steps(page):
    return page.eval_on_selector_all(".dgv", "(all) => all.map((node) => Number(node.dataset.step))")


def marked(page, run):
    cells = page.get_by_role("region", name=f"Token canvas of run {run}").locator(".dgv-differs")
    return [int(cell.get_attribute("data-position")) for cell in cells.all()]


def wait_for_steps(page, wanted):
    page.wait_for_function(
        "(wanted) => String([...document.querySelectorAll('.dgv')].map((node) => node.dataset.step)) === wanted",
        arg=wanted,
    )


def test_the_jump_goes_to_the_first_difference(visit):
    page = visit.page
    expect(page.get_by_text("canvas 0, step 4: the candidates drawn")).to_be_visible()
    page.get_by_role("button", name="Jump to the first difference").click()
    wait_for_steps(page, "4,4")
    page.get_by_text("Position 7", exact=True).wait_for()
    expect(page.locator(".dgv-pinned[data-position='7']")).to_have_count(2)


def test_keys_in_either_canvas_move_both_while_the_kernel_is_busy(visit):
    page = visit.page
    sliders = page.get_by_role("slider")
    sliders.nth(0).focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="Keep the kernel busy").click()
    for slider, key, wanted in ((0, "ArrowRight", [1, 1]), (1, "ArrowRight", [2, 2]), (1, "Home", [0, 0])):
        sliders.nth(slider).focus()
        page.keyboard.press(key)
        assert steps(page) == wanted


def test_drafts_that_differ_are_marked_in_both_and_counted(visit):
    page = visit.page
    slider = page.get_by_role("slider").first
    for step, wanted in ((3, []), (5, [7]), (9, [2, 7])):
        slider.fill(str(step))
        assert marked(page, "A") == marked(page, "B") == wanted
        key = page.locator(".dgv-key", has_text="differs").first
        assert key.locator("b").inner_text() == str(len(wanted))


def test_the_shorter_run_stays_at_its_last_step_and_is_compared_there(visit):
    page = visit.page
    longer, shorter = page.get_by_role("slider").first, page.get_by_role("slider").nth(1)
    longer.focus()
    page.keyboard.press("End")
    assert steps(page) == [11, 9]
    assert marked(page, "A") == marked(page, "B")
    at_the_end = marked(page, "B")
    shorter.focus()
    page.keyboard.press("ArrowLeft")
    assert steps(page) == [8, 8]
    longer.focus()
    page.keyboard.press("ArrowRight")
    assert steps(page) == [9, 9]
    assert marked(page, "B") == [2, 7]
    page.keyboard.press("End")
    assert marked(page, "B") == at_the_end


def test_the_charts_follow_and_clicking_them_moves_both(visit):
    page = visit.page
    page.get_by_role("slider").first.fill("3")
    place = "(() => [...document.querySelectorAll('.js-plotly-plot')].map((p) => p._fullLayout)"
    curves = f"{place}.find((f) => f.meta?.figure === 'compared_curves'))()"
    page.wait_for_function(f"{curves}.shapes.find((s) => s.name === 'selected step').x0 === 3")
    names = page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].map((p) => p._fullLayout.meta.figure)")
    area = page.locator(".js-plotly-plot").nth(names.index("difference_map")).locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (20.5 / 24), box["y"] + box["height"] * (6.5 / 12))
    wait_for_steps(page, "6,6")
    page.get_by_text("Position 20", exact=True).wait_for()


def test_playing_one_moves_the_other_and_only_one_plays(visit):
    page = visit.page
    page.get_by_role("slider").first.fill("0")
    for speed in page.get_by_label("Steps per second").all():
        speed.select_option("1")  # not at the end before the next press
    page.get_by_role("button", name="Play (space)").first.click()
    page.wait_for_function("[...document.querySelectorAll('.dgv')].every((node) => Number(node.dataset.step) > 1)")
    page.get_by_role("button", name="Play (space)").click()
    page.wait_for_function("document.querySelectorAll('button[aria-label=\"Pause (space)\"]').length === 1")
    page.get_by_role("button", name="Pause (space)").click()


def test_no_error_no_foreign_request_nothing_executed(visit):
    assert visit.console_errors == []
    assert visit.other_hosts == set()
    assert visit.page.locator(".dgv-tokens script, .dgc script, .dgc b b").count() == 0


def test_side_by_side_when_wide_stacked_when_narrow(chromium, visit, url):
    places = "[...document.querySelectorAll('.dgv-tokens')].map((node) => node.getBoundingClientRect().left)"
    wide = visit.page.evaluate(places)
    assert wide[1] > wide[0] + 400
    with open_page(chromium, url, width=420, height=2400) as narrow:
        narrow.page.locator(".js-plotly-plot .main-svg").nth(1).wait_for()
        narrow.page.locator(".dgv-tokens").nth(1).wait_for()
        assert_fits(narrow.page)
        stacked = narrow.page.evaluate(places)
        assert stacked[0] == stacked[1]
        parts = "[...document.querySelectorAll('.js-plotly-plot, .dgc table')]"
        narrow.page.wait_for_function(f"{parts}.every((part) => part.getBoundingClientRect().right <= 420)")
        assert narrow.console_errors == []
