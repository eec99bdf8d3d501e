"""The token canvas in Chromium with a stand-in for Jupyter's model: there is no kernel that could help it."""

import base64
import re
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from dgemma_viz.widgets.packing import FIELDS, Packing
from dgemma_viz.widgets.token_canvas import QUANTITIES, TokenCanvas
from tests.synthetic import NASTY_TEXTS, synthetic_trace
from tests.widgets.stand_alone import page_with

pytestmark = pytest.mark.browser

CONTRAST = """() => {
  const linear = (c) => (c <= 10.3 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => rgb.match(/[\\d.]+/g).slice(0, 3).map(Number).map(linear)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  return Math.min(...[...document.querySelectorAll(".dgv-token > .dgv-text")].map((label) => {
    const style = getComputedStyle(label), [a, b] = [light(style.color), light(style.backgroundColor)];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }));
}"""


@contextmanager
def shown(browser, canvas, *, width=1000, height=700, background="#fff"):
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    errors, requests = [], []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("request", lambda request: request.url.startswith("http") and requests.append(request.url))
    page.set_content(page_with(canvas, background))
    page.locator(".dgv").wait_for()
    page.wait_for_timeout(100)
    yield page
    context.close()
    assert errors == []
    assert requests == []


def texts(page):
    return page.locator(".dgv-token").all_inner_texts()


def expected(canvas, run, step, name="draft"):
    return [canvas.texts[str(i)] for i in run.array(name)[step]]


def unmarked(words):
    return [word.replace("␣", "").strip() for word in words]


@pytest.fixture(scope="module")
def run():
    return synthetic_trace(length=48, steps=12).canvas_run()


def test_keys_and_slider_repaint_the_tokens(chromium, run):
    canvas = TokenCanvas.of(run)
    with shown(chromium, canvas) as page:
        slider = page.get_by_role("slider")
        slider.focus()
        for key, step in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", 11), ("Home", 0)):
            page.keyboard.press(key)
            assert unmarked(texts(page)) == unmarked(expected(canvas, run, step)), key
            assert page.evaluate("model.get('step')") == step
        slider.fill("7")
        assert unmarked(texts(page)) == unmarked(expected(canvas, run, 7))
        assert page.get_by_text("step 7 of 11", exact=True).is_visible()
        page.get_by_role("button", name="Step back").click()
        assert page.evaluate("model.get('step')") == 6


def test_space_plays_to_the_end_and_stops(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        speed, slider = page.get_by_label("Steps per second"), page.get_by_role("slider")
        speed.select_option("1")  # not at the end before the next look
        slider.press(" ")
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        assert page.evaluate("model.get('playing')")
        speed.select_option("16")
        page.wait_for_function("model.get('step') === 11 && !model.get('playing')")
        speed.select_option("1")
        slider.press(" ")
        page.wait_for_function("model.get('step') < 11")
        slider.press(" ")
        assert not page.evaluate("model.get('playing')")


def test_nothing_plays_by_itself_nor_moves_where_less_motion_is_asked_for(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        page.emulate_media(reduced_motion="reduce")
        page.get_by_role("button", name="Step forward").hover()
        assert page.evaluate("document.getAnimations().length") == 0
        page.wait_for_timeout(500)
        assert page.evaluate("[model.get('step'), model.get('playing')]") == [0, False]


def test_scrubbing_keeps_the_cells_and_their_places(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        boxes = "[...document.querySelectorAll('.dgv-token')].map((c) => JSON.stringify(c.getBoundingClientRect()))"
        page.evaluate("window.first = [...document.querySelectorAll('.dgv-token')]")
        before = page.evaluate(boxes)
        for step in range(run.n_steps):
            page.evaluate(f"model.set('step', {step})")
            assert page.evaluate(boxes) == before
        assert page.evaluate("[...document.querySelectorAll('.dgv-token')].every((c, i) => c === window.first[i])")


def test_what_is_shown_can_be_chosen(chromium, run):
    canvas = TokenCanvas.of(run, step=3)
    with shown(chromium, canvas) as page:
        for name in ("noised", "candidate", "draft"):
            page.get_by_label("Text").select_option(name)
            assert unmarked(texts(page)) == unmarked(expected(canvas, run, 3, name))
        page.get_by_label("Colour").select_option("entropy")
        assert page.evaluate("model.get('quantity')") == "entropy"
        expect(page.locator(".dgv-legend").get_by_text("nats")).to_be_visible()


def test_clicking_and_enter_pin_and_unpin(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        token = page.locator(".dgv-token").nth(5)
        token.click()
        assert page.evaluate("model.get('position')") == 5
        assert token.get_attribute("aria-selected") == "true"
        token.click()
        assert page.evaluate("model.get('position')") == -1
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        assert page.evaluate("model.get('position')") == 6
        page.keyboard.press("Enter")
        assert page.evaluate("model.get('position')") == -1


def test_one_token_is_in_the_tab_order_and_arrows_move_it(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
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
        assert page.evaluate("model.get('step')") == 0, "arrows in the tokens do not step"
        assert stops.count() == 1


def test_the_tooltip_says_what_was_measured_and_what_derived(chromium, run):
    canvas = TokenCanvas.of(run, step=2)
    with shown(chromium, canvas, width=420) as page:
        for position in (0, 20, 47):
            page.locator(".dgv-token").nth(position).hover()
            tip = page.get_by_role("tooltip")
            words = tip.inner_text()
            assert f"position {position} · step 2" in words
            for part in ("measured", "derived", "entropy", "candidate", "commit step"):
                assert part in words
            assert f"{float(run.array('top_k_probabilities')[2, position, 0]):.3f}" in words
            box = tip.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 420
            assert box["y"] >= 0
        page.keyboard.press("Escape")
        page.mouse.move(1, 1)
        expect(tip).to_be_hidden()


def test_focus_shows_the_tooltip_too(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        page.locator(".dgv-token[tabindex='0']").focus()
        page.keyboard.press("ArrowRight")
        tip = page.get_by_role("tooltip")
        expect(tip).to_be_visible()
        assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == tip.get_attribute("id")
        page.keyboard.press("Escape")
        expect(tip).to_be_hidden()


def test_hostile_tokens_are_only_text(chromium):
    nasty = (*NASTY_TEXTS, "<img src=x onerror='window.pwned=1'>", "</script><script>window.pwned=1</script>")
    run = synthetic_trace(texts=nasty, length=60, steps=5).canvas_run()
    with shown(chromium, TokenCanvas.of(run)) as page:
        for step in range(run.n_steps):
            page.evaluate(f"model.set('step', {step})")
            for position in range(0, 60, 7):
                page.locator(".dgv-token").nth(position).hover()
        assert page.evaluate("window.pwned") is None
        assert page.locator(".dgv-tokens, .dgv-tip").locator("script, img, a, br").count() == 0
        assert all(
            words.strip() for words in page.locator(".dgv-token").evaluate_all("all => all.map((c) => c.textContent)")
        )


@pytest.mark.parametrize(("background", "dark"), [("#fff", False), ("#111", True)])
def test_text_is_readable_on_every_colour(chromium, run, background, dark):
    with shown(chromium, TokenCanvas.of(run), background=background) as page:
        page.wait_for_function("(dark) => model.get('dark') === dark", arg=dark)
        for quantity in QUANTITIES:
            page.evaluate(f"model.set('quantity', '{quantity}')")
            for step in (0, 5, 11):
                page.evaluate(f"model.set('step', {step})")
                assert page.evaluate(CONTRAST) >= 4.5, (quantity, step)


def test_marks_differ_in_shape_and_are_counted(chromium, run):
    with shown(chromium, TokenCanvas.of(run, step=6)) as page:
        lines = page.evaluate(
            "['.dgv-accepted', '.dgv-re-noised'].map((s) => "
            "getComputedStyle(document.querySelector('.dgv-tokens ' + s), '::after').borderBottomStyle)"
        )
        assert lines == ["solid", "dotted"]
        accepted = int(run.array("accepted")[6].sum())
        changed = int((run.array("draft")[6] != run.array("draft")[5]).sum())
        assert page.locator(".dgv-tokens .dgv-accepted").count() == accepted
        assert page.locator(".dgv-tokens .dgv-changed").count() == changed
        legend = re.sub(r"\s+", " ", page.locator(".dgv-legend").inner_text())
        assert f"accepted {accepted}" in legend
        assert f"re-noised {48 - accepted}" in legend
        assert f"draft changed {changed}" in legend


def test_a_page_s_theme_may_change(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        page.evaluate("document.body.style.background = '#111'")
        page.wait_for_function("model.get('dark') === true")
        expect(page.locator(".dgv-dark")).to_have_count(1)


def test_steps_that_are_appended_are_followed_unless_the_reader_stepped_back(chromium, run):
    packing = Packing.of(run)
    records = [packing.pack_step({name: run.array(name)[s] for name in FIELDS}) for s in range(run.n_steps)]
    canvas = TokenCanvas()
    canvas.begin(run.canvas_length, run.trace.top_k)
    canvas.texts = TokenCanvas.of(run).texts

    def append(page, steps):
        tail = base64.b64encode(b"".join(records[:steps])).decode()
        page.evaluate("(tail) => model.set('tail', bytes(tail))", tail)
        page.wait_for_timeout(50)

    with shown(chromium, canvas) as page:
        assert page.locator(".dgv-message").is_visible()
        for steps in (1, 2, 5):
            append(page, steps)
            assert page.get_by_role("slider").input_value() == str(steps - 1)
        assert not page.locator(".dgv-message").is_visible()
        page.get_by_role("slider").fill("1")
        append(page, 6)
        assert page.get_by_role("slider").input_value() == "1"
        page.get_by_role("button", name="Last step").click()
        append(page, 7)
        assert page.get_by_role("slider").input_value() == "6"
        assert unmarked(texts(page)) == unmarked(expected(canvas, run, 6))


@pytest.mark.parametrize(("length", "width"), [(48, 420), (256, 420), (256, 1500), (1, 420)])
def test_nothing_overflows(chromium, length, width):
    run = synthetic_trace(length=length, steps=4, texts=(*NASTY_TEXTS, "word", " another")).canvas_run()
    with shown(chromium, TokenCanvas.of(run), width=width) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".dgv-token").count() == length


def test_no_steps_and_one_step(chromium):
    with shown(chromium, TokenCanvas(message="Nothing here.")) as page:
        assert page.get_by_text("Nothing here.").is_visible()
        assert page.get_by_role("button", name="Play").is_disabled()
        page.get_by_label("Token canvas", exact=True).press("ArrowRight")
    with shown(chromium, TokenCanvas.of(synthetic_trace(length=5, steps=1).canvas_run())) as page:
        assert page.get_by_text("one step").is_visible()
        assert page.get_by_role("button", name="Play").is_disabled()


def test_each_step_is_painted_once_and_at_once(chromium):
    run = synthetic_trace(length=256, steps=24).canvas_run()
    with shown(chromium, TokenCanvas.of(run), width=1500, height=900) as page:
        page.evaluate("performance.clearMeasures()")
        seen = page.evaluate(
            "[...Array(23).keys()].map((s) => (model.set('step', s + 1), document.querySelector('.dgv').dataset.step))"
        )
        assert seen == [str(step) for step in range(1, 24)]  # without waiting for a kernel or a frame
        assert page.evaluate("performance.getEntriesByName('dgemma_viz:paint').length") == 23


def test_leaving_stops_playing(chromium, run):
    with shown(chromium, TokenCanvas.of(run)) as page:
        page.evaluate("model.set('playing', true)")
        page.evaluate("leave()")
        step = page.evaluate("model.get('step')")
        page.wait_for_timeout(600)
        assert page.evaluate("model.get('step')") == step
