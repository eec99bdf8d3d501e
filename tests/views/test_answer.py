"""The whole answer as one document: its text, its layout, and the way through it."""

import re
from dataclasses import replace

import pytest
from playwright.sync_api import expect

from dgemma_viz.views.answer import answer_json, layout_of, steps_taken
from tests.accessibility import assert_accessible
from tests.handmade import handmade_trace
from tests.real_text import PROMPT, TEXT, THOUGHT, TURN_END, real_trace
from tests.synthetic import synthetic_trace
from tests.views.exported import exported, go, step_of

READING = real_trace(length=64, steps=8)
LAST = READING.n_canvases - 1


def text_of(canvases):
    return "".join(part["text"] for canvas in canvases for part in canvas["parts"])


def test_the_texts_of_all_canvases_are_the_output():
    (sample,) = answer_json(READING)["samples"]
    assert PROMPT in sample["prompt"]
    assert text_of(sample["canvases"]) == READING.output_text().removesuffix(TURN_END)
    assert sum(canvas["filled"] for canvas in sample["canvases"]) == sample["canvases"][-1]["filled"] > 0
    thought = [part for canvas in sample["canvases"] for part in canvas["parts"] if "channel" in part]
    assert {part["channel"] for part in thought} == {"thought"}
    assert THOUGHT in text_of([{"parts": thought}])
    assert TEXT[:40] not in text_of([{"parts": thought}])


def test_a_canvas_that_was_not_finished_has_its_last_draft():
    trace = handmade_trace(["a b", "a c"], ["d e", "d <eos>"], status="failed")
    first, second = answer_json(trace)["samples"][0]["canvases"]
    assert (text_of([first]), first["final"]) == ("ac", True)
    assert (text_of([second]), second["filled"], second["final"]) == ("d", 1, False)
    uneven = synthetic_trace(canvases=2, samples=2, steps=[[3, 2], [4, 0]])
    assert steps_taken(uneven) == [[3, 4], [2, 0]]
    assert answer_json(uneven)["samples"][1]["canvases"][1]["parts"] == []


@pytest.mark.parametrize(
    ("words", "layout"),
    [
        ("a " * 60 + "<eos> " * 9, "grid"),
        ("a " * 61, "reading"),
        ("a nl b", "reading"),
        ("<eos> nl nl nl", "grid"),  # behind the end
    ],
)
def test_a_run_opens_in_the_layout_in_which_it_is_better_read(words, layout):
    made = handmade_trace([words.strip()])
    texts = {token: "\n" if word == "nl" else word for token, word in made.token_texts.items()}
    assert layout_of(replace(made, token_texts=texts)) == layout


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, READING, at="#views=canvas", width=800, height=700) as visit:
        yield visit


@pytest.fixture
def page(visit):
    page = visit.page
    page.get_by_label("Canvas", exact=True).and_(page.locator("select")).select_option("0")
    page.locator(".dgv-after [data-canvas='1']").wait_for()
    page.keyboard.press("Escape")
    return page


def shown(page):
    return int(page.locator("[aria-current].dge-canvas-bar").get_attribute("aria-label").split()[1].rstrip(":"))


@pytest.mark.browser
def test_the_document_has_the_prompt_and_all_canvases_and_a_click_goes_to_one(page):
    parts = page.locator(".dgv-canvas-part")
    expect(parts).to_have_count(LAST)
    expect(page.locator(".dgv-prompt")).to_contain_text("日本語でも。")
    parts.last.click()
    expect(page.locator(".dgv-before .dgv-canvas-part")).to_have_count(LAST)
    assert shown(page) == LAST
    tokens, paper = (page.locator(of).bounding_box() for of in (".dgv-reading", ".dgv-paper"))
    assert paper["y"] <= tokens["y"] < paper["y"] + paper["height"], "what was clicked is in sight"
    channel = page.locator("details.dgv-channel").first
    expect(channel).to_have_text(re.compile("thought · "))
    channel.locator("summary").click()
    expect(channel).to_contain_text("The user wants a function")
    assert shown(page) == LAST, "to open a channel is to go nowhere"


@pytest.mark.browser
def test_a_page_that_is_opened_again_has_the_document_once(page):
    go(page, "canvas=1&views=canvas")
    page.locator(".dgv-before [data-canvas='0']").wait_for()
    expect(page.locator(".dgv-prompt")).to_have_count(1)
    expect(page.locator(".dgv-canvas-part")).to_have_count(LAST)


@pytest.mark.browser
def test_pages_turn_by_key_and_one_who_reads_on_reads_the_next_to_its_end(page):
    slider = page.get_by_role("slider", name="Denoising step")
    slider.press("PageDown")
    page.locator(".dgv-before [data-canvas='0']").wait_for()
    assert (shown(page), step_of(page)) == (1, 0)
    slider.press("End")
    slider.press("PageDown")
    page.locator(".dgv-before [data-canvas='1']").wait_for()
    page.wait_for_timeout(50)
    assert (shown(page), step_of(page)) == (2, steps_taken(READING)[0][2] - 1)
    bar = page.locator(".dge-canvas-bar[aria-current]")
    bar.focus()
    bar.press("End")
    page.locator(f".dgv-before [data-canvas='{LAST - 1}']").wait_for()
    expect(page.locator(".dge-canvas-bar").last).to_be_focused()
    page.keyboard.press("PageUp")
    page.locator(f".dgv-after [data-canvas='{LAST}']").wait_for()
    assert shown(page) == LAST - 1
    page.get_by_label("Layout").select_option("grid")
    expect(page.locator(".dgv-canvas-part").first).to_be_hidden()
    page.get_by_label("Layout").select_option("reading")
    expect(page.locator(".dgv-canvas-part").first).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(380, True), (1280, False)])
def test_it_fits_and_can_be_used_by_all(chromium, width, dark):
    with exported(chromium, READING, at="#canvas=3&step=4&views=canvas", width=width, dark=dark) as visit:
        page = visit.page
        page.locator(".dgv-before [data-canvas='2']").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert_accessible(page)
