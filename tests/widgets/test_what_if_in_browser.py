"""What if? in the explorer, as a reader does it: click a token, choose another, run, see both runs side by side."""

import pytest

from tests.browser import assert_fits, open_page

pytestmark = pytest.mark.browser

PAGE = """
import dgemma_viz as dv
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
model, tokenizer = dv.load_tiny()
slowly = {"entropy_bound": 0.01, "confidence_threshold": None, "max_denoising_steps": 6}
trace = run(model, tokenizer, TASKS["sudoku"].example_prompts[0], "entropy_bound", slowly)
explorer = dv.explore(trace, model=model, tokenizer=tokenizer)
explorer.step = 2
explorer
"""


@pytest.fixture(scope="module")
def visit(chromium, serve):
    with serve(PAGE) as url, open_page(chromium, url, width=1280, height=1600) as visit:
        visit.page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
        visit.page.get_by_role("button", name="What if?").click()
        yield visit


def chosen(page):
    return page.locator(".dgv-interventions select").first


def test_a_click_and_a_choice_change_the_run(visit):
    page = visit.page
    page.locator(".dgv-token[data-position='3']").first.click()
    page.get_by_text("At canvas 0, step 2, position 3").wait_for()
    chosen(page).select_option(label="Pin a token for the rest of the canvas")
    token = page.get_by_label("Token", exact=True)
    token.fill("9")
    token.press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("Changed: canvas 0, sample 0, from step 2 on: pin '9' to position 3").wait_for()
    page.get_by_role("region", name="Token canvas of run B").wait_for()
    both = page.locator(".dgv-differs[data-position='3']")
    both.nth(1).wait_for(state="attached")
    assert visit.console_errors == []


def test_what_cannot_be_is_said_where_the_reader_looks(visit):
    page = visit.page
    chosen(page).select_option(label="Change a parameter")
    value = page.get_by_label("Value", exact=True)
    value.fill("-3")
    value.press("Tab")
    page.get_by_role("button", name="Add another").click()
    page.get_by_role("alert").get_by_text("entropy_bound of -3 is out of range").wait_for()


def test_nothing_runs_out_of_a_narrow_page(visit):
    page = visit.page
    page.set_viewport_size({"width": 380, "height": 900})
    assert_fits(page, "document.querySelector('.dgv-interventions')")
