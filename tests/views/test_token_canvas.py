"""The token canvas in Chromium: steps, keys, choices, marks, tooltips; by what is on the page."""

import re

import pytest
from playwright.sync_api import expect

from dgemma_viz.figures.token_text import display_text
from dgemma_viz.views.charts import QUANTITIES, SCALES
from tests.browser import until
from tests.synthetic import NASTY_TEXTS, synthetic_trace
from tests.views.exported import CANVAS, exported, go, step_of, tokens

CONTRAST = """() => {
  const linear = (c) => (c <= 10.3 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map(Number).map(linear)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  return Math.min(...[...document.querySelectorAll(".dgv-token > .dgv-text")].map((label) => {
    const style = getComputedStyle(label), [a, b] = [light(style.color), light(style.backgroundColor)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""
RUN = synthetic_trace(length=48, steps=12).canvas_run()

pytestmark = pytest.mark.browser


def expected(step, name="draft"):
    texts = [display_text(RUN.token_text(int(token))) for token in RUN.array(name)[step]]
    return [text.replace("␣", "").strip() for text in texts]


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, RUN.trace, at=CANVAS, width=1000, height=700) as visit:
        yield visit


@pytest.fixture
def page(visit):
    """One page for all tests, each of which finds it at its first step, nothing pinned."""
    go(visit.page, "views=canvas")
    visit.page.mouse.move(1, 1)
    visit.page.locator('.dgv[data-step="0"]').wait_for()
    return visit.page


def pinned(page):
    return [int(cell.get_attribute("data-position")) for cell in page.locator("[aria-selected=true]").all()]


def test_keys_slider_and_buttons_repaint_the_tokens(page):
    slider = page.get_by_role("slider")
    slider.focus()
    for key, step in (("ArrowRight", 1), (".", 2), ("ArrowLeft", 1), ("End", 11), ("Home", 0)):
        page.keyboard.press(key)
        assert tokens(page) == expected(step), key
    slider.fill("7")
    assert tokens(page) == expected(7)
    assert page.get_by_text("step 7 of 11", exact=True).is_visible()
    page.get_by_role("button", name="Step back").click()
    assert tokens(page) == expected(6)
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("End")
    assert step_of(page) == 11, "nothing else is on this page"


def test_space_plays_to_the_end_and_stops(page):
    speed, slider = page.get_by_label("Steps per second"), page.get_by_role("slider")
    play, pause = page.get_by_role("button", name="Play"), page.get_by_role("button", name="Pause")
    speed.select_option("1")  # not at the end before the next look
    slider.press(" ")
    expect(pause).to_be_visible()
    speed.select_option("16")
    page.locator('.dgv[data-step="11"]').wait_for()
    expect(play).to_be_visible()
    speed.select_option("1")
    slider.press(" ")
    page.locator('.dgv:not([data-step="11"])').wait_for()
    slider.press(" ")
    expect(play).to_be_visible()


def test_nothing_plays_by_itself_nor_moves_where_less_motion_is_asked_for(page):
    page.emulate_media(reduced_motion="reduce")
    page.get_by_role("button", name="Step forward").hover()
    assert page.evaluate("document.getAnimations().length") == 0
    page.wait_for_timeout(500)
    assert step_of(page) == 0


def test_each_step_is_painted_once_and_at_once_into_the_same_cells(page):
    boxes = "[...document.querySelectorAll('.dgv-token')].map((c) => JSON.stringify(c.getBoundingClientRect()))"
    page.evaluate("window.first = [...document.querySelectorAll('.dgv-token')]; performance.clearMeasures();")
    before = page.evaluate(boxes)
    seen = page.evaluate(
        f"""[...Array(11).keys()].map((n) => {{
          const slider = document.querySelector(".dgv-slider");
          slider.value = n + 1;
          slider.dispatchEvent(new Event("input"));
          return [document.querySelector(".dgv").dataset.step, {boxes}];
        }})"""
    )
    assert [step for step, _ in seen] == [str(step) for step in range(1, 12)], "without waiting for a frame"
    assert all(places == before for _, places in seen)
    assert page.evaluate("[...document.querySelectorAll('.dgv-token')].every((c, i) => c === window.first[i])")
    assert page.evaluate("performance.getEntriesByName('dgemma_viz:paint').length") == 11


def test_what_is_shown_can_be_chosen(page):
    go(page, "views=canvas&step=3")
    for name in ("noised", "candidate", "draft"):
        page.get_by_label("Text").select_option(name)
        assert tokens(page) == expected(3, name)
    page.get_by_label("Colour").select_option("entropy")
    expect(page.locator(".dgv-legend").get_by_text("nats")).to_be_visible()


def test_clicking_and_enter_pin_and_unpin(page):
    token = page.locator(".dgv-token").nth(5)
    token.click()
    assert pinned(page) == [5]
    token.click()
    assert pinned(page) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert pinned(page) == [6]
    page.keyboard.press("Enter")
    assert pinned(page) == []


def test_one_token_is_in_the_tab_order_and_arrows_move_it(page):
    go(page, "views=canvas&position=0")
    focused = "Number(document.activeElement.dataset.position)"
    stops = page.locator(".dgv-token[tabindex='0']")
    assert stops.count() == 1
    stops.focus()
    columns = page.evaluate(
        "[...document.querySelectorAll('.dgv-token')]"
        ".filter((cell, _, all) => cell.offsetTop === all[0].offsetTop).length"
    )
    for key, position in (("ArrowDown", columns), ("ArrowRight", columns + 1), ("ArrowUp", 1), ("ArrowLeft", 0)):
        page.keyboard.press(key)
        assert page.evaluate(focused) == position
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(focused) == 0, "the first token is the end of the way"
    page.keyboard.press("End")
    assert page.evaluate(focused) == 47
    assert step_of(page) == 0, "arrows in the tokens do not step"
    assert stops.count() == 1


def test_the_tooltip_says_what_was_measured_and_what_derived(page):
    go(page, "views=canvas&step=2")
    page.set_viewport_size({"width": 420, "height": 700})
    tip = page.get_by_role("tooltip")
    for position in (0, 20, 47):
        page.locator(".dgv-token").nth(position).hover()
        words = tip.inner_text()
        assert f"position {position} · step 2" in words
        for part in ("measured", "derived", "entropy", "candidate", "commit step"):
            assert part in words
        assert f"{float(RUN.array('top_k_probabilities')[2, position, 0]):.3f}" in words
        box = tip.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420
        assert box["y"] >= 0
    page.mouse.move(1, 1)
    expect(tip).to_be_hidden()
    page.set_viewport_size({"width": 420, "height": 300})
    page.locator(".dgv-token").first.focus()
    for _ in range(4):  # out of the window, which scrolls
        page.keyboard.press("ArrowDown")
    page.wait_for_timeout(200)
    expect(tip).to_be_visible()
    assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == tip.get_attribute("id")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.set_viewport_size({"width": 1000, "height": 700})


def test_marks_differ_in_shape_and_are_counted(page):
    go(page, "views=canvas&step=6")
    lines = page.evaluate(
        "['.dgv-accepted', '.dgv-re-noised'].map((s) => "
        "getComputedStyle(document.querySelector('.dgv-tokens ' + s), '::after').borderBottomStyle)"
    )
    assert lines == ["solid", "dotted"]
    accepted = int(RUN.array("accepted")[6].sum())
    changed = int((RUN.array("draft")[6] != RUN.array("draft")[5]).sum())
    assert page.locator(".dgv-tokens .dgv-accepted").count() == accepted
    assert page.locator(".dgv-tokens .dgv-changed").count() == changed
    legend = re.sub(r"\s+", " ", page.locator(".dgv-legend").inner_text())
    for words in (f"accepted {accepted}", f"re-noised {48 - accepted}", f"draft changed {changed}"):
        assert words in legend


def test_text_is_readable_on_every_colour_light_and_dark(page):
    assert all(set(scales) == set(QUANTITIES) for scales in SCALES.values())
    for scheme, dark in (("dark", 1), ("light", 0)):  # the page's theme may change while it is open
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".dgv-dark")).to_have_count(dark)
        for quantity in QUANTITIES:
            page.get_by_label("Colour").select_option(quantity)
            for step in ("0", "5", "11"):
                page.get_by_role("slider").fill(step)
                assert page.evaluate(CONTRAST) >= 4.5, (scheme, quantity, step)


def test_a_screen_reader_is_told_where_steps_come_to_rest_and_of_none_between(page):
    slider, spoken = page.get_by_role("slider"), page.locator("[aria-live=polite].dgv-aside")
    slider.press("End")
    slider.press("Home")
    page.get_by_text("Step 0 of 11: ").wait_for()
    spoken.evaluate(
        "(node) => { window.told = []; new MutationObserver(() => window.told.push(node.textContent))"
        ".observe(node, { childList: true, characterData: true, subtree: true }); }"
    )
    slider.evaluate(
        "(node) => { for (let n = 0; n < 4; n++)"
        " node.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true })); }"
    )
    until(page, "window.told?.length > 0")
    assert page.evaluate("window.told.length === 1 && window.told[0].startsWith('Step 4 of 11: ')")


def test_the_keys_are_listed_on_demand(page):
    keys = page.get_by_role("table", name="Keys of the token canvas")
    page.get_by_role("slider").focus()
    page.keyboard.press("?")
    keys.wait_for()
    for words in ("the canvas alone, or all views", "copy a link"):
        expect(keys).to_contain_text(words)
    page.keyboard.press("?")
    keys.wait_for(state="hidden")
    page.get_by_label("Text").press("End")
    assert step_of(page) == 0, "a key of another control"


def test_nothing_overflows(chromium):
    for length in (256, 1):
        trace = synthetic_trace(length=length, steps=4, texts=(*NASTY_TEXTS, "word", " another"))
        with exported(chromium, trace, at=CANVAS) as visit:
            for width in (420, 1500):
                visit.page.set_viewport_size({"width": width, "height": 700})
                assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
            assert visit.page.locator(".dgv-token").count() == length


def test_one_step(chromium):
    with exported(chromium, synthetic_trace(length=5, steps=1), at=CANVAS) as visit:
        assert visit.page.get_by_text("one step").is_visible()
        assert visit.page.get_by_role("button", name="Play").is_disabled()
        visit.page.get_by_label("Token canvas", exact=True).press("ArrowRight")
        assert step_of(visit.page) == 0
