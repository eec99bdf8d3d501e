"""Links to a place: the address of a page says what is looked at, is copied, and leads there again."""

import pytest
from playwright.sync_api import expect

from tests.browser import until
from tests.synthetic import synthetic_trace
from tests.views.exported import exported, go, step_of

pytestmark = pytest.mark.browser

TRACE = synthetic_trace(canvases=2, samples=2, length=12, steps=[[6, 4], [9, 5]])
THERE = "#canvas=1&sample=1&step=3&position=7&quantity=entropy&shows=noised&views=canvas"
COPIED = "navigator.clipboard.writeText = async (text) => { window.copied = text; }"
REFUSED = "navigator.clipboard.writeText = async () => { throw new Error('no'); }; document.execCommand = () => false;"


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, TRACE, at=THERE) as visit:
        yield visit


@pytest.fixture
def page(visit):
    go(visit.page, THERE[1:])
    visit.page.locator('.dgv[data-step="3"]').wait_for()
    return visit.page


def chosen(page):
    choices = ("[name=canvas]", "[name=sample]", ".dgv-choice >> nth=0 >> select", ".dgv-choice >> nth=1 >> select")
    values = [page.locator(choice).input_value() for choice in choices]
    pinned = page.locator("[aria-selected=true]")
    return [*values, step_of(page), pinned.get_attribute("data-position") if pinned.count() else None]


def test_an_address_leads_to_its_place_and_follows_what_is_looked_at(visit):
    page = visit.page
    page.locator('.dgv[data-step="3"]').wait_for()
    assert chosen(page) == ["1", "1", "entropy", "noised", 3, "7"]
    assert page.get_by_role("button", name="All views").is_visible()
    page.get_by_role("slider").press("ArrowRight")
    until(page, "location.hash.includes('step=4')")
    page.get_by_label("Canvas", exact=True).select_option("0")
    until(page, "!/canvas=|step=|position=/.test(location.hash)")
    assert page.evaluate("location.hash") == "#sample=1&quantity=entropy&shows=noised&views=canvas"


@pytest.mark.parametrize("how", ["key", "button"])
def test_the_link_is_copied_by_key_and_by_button(page, how):
    page.evaluate(COPIED)
    if how == "key":
        page.locator(".dgv-token").first.press("l")
    else:
        page.get_by_role("button", name="Copy link to this place").click()
    page.get_by_text("Link copied.").wait_for()
    assert page.evaluate("window.copied").endswith(THERE)
    assert page.evaluate("window.copied === location.href")


def test_where_a_page_may_not_copy_the_link_is_shown(page):
    page.evaluate(f"() => {{ {REFUSED} }}")
    page.get_by_role("button", name="Copy link to this place").click()
    expect(page.get_by_text("This browser does not let a page copy")).to_contain_text(THERE)


def test_what_is_not_there_is_brought_back_to_what_is(page):
    go(page, "canvas=99&sample=9&step=1234&position=500&quantity=beauty&layout=circle&views=none")
    page.locator('.dgv[data-step="4"]').wait_for()
    assert chosen(page) == ["1", "1", "confidence", "draft", 4, None]
    until(page, "location.hash === '#canvas=1&sample=1&step=4'")
    go(page, "canvas=-1&step=x&position=<b>")
    page.locator('.dgv[data-step="0"]').wait_for()
    assert chosen(page) == ["0", "0", "confidence", "draft", 0, None]


def test_the_browser_s_own_back_button_goes_back(page):
    go(page, "canvas=0&step=2&position=1")
    page.locator('.dgv[data-step="2"]').wait_for()
    until(page, "!location.hash.includes('at=')")
    page.evaluate("history.back()")
    page.locator('.dgv[data-step="3"]').wait_for()
    assert chosen(page) == ["1", "1", "entropy", "noised", 3, "7"]
