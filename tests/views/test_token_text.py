"""Tokens as text reads: lines, indentation, characters split over tokens, right-to-left text, folded filling."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from dgemma_viz.plain_text import from_bytes
from tests.accessibility import assert_accessible
from tests.handmade import handmade_trace
from tests.views.exported import exported, go

A = "あ".encode()
FAMILY = "👨\u200d👩\u200d👧"
PIECES = {
    "def": "def",
    "f": " f():",
    "nl": "\n",
    "tab": "    ",
    "ret": "return",
    "a1": from_bytes(b" " + A[:2]),
    "a2": from_bytes(A[2:]),
    "man": "👨",
    "woman": "\u200d👩",
    "girl": "\u200d👧",
    "arabic": "سلام",
    "world": " عالم",
    "tag": "<b>x</b>",
}
FIRST = "tag a2 nl a1 def f ret man girl woman a2 world arabic tag f ret def <eos> <eos>"
LAST = "def f nl tab ret a1 a2 nl man woman girl nl arabic world <eos> <eos> <eos> <eos> <eos>"
READS = f"def f():\n    return あ\n{FAMILY}\nسلام عالم"
LAST_OF_ALL = "#step=1&views=canvas&layout=reading"

pytestmark = pytest.mark.browser


def trace():
    made = handmade_trace([FIRST, LAST])
    return replace(made, token_texts={token: PIECES.get(word, word) for token, word in made.token_texts.items()})


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, trace(), at=LAST_OF_ALL, width=800, height=700) as visit:
        yield visit


@pytest.fixture
def page(visit):
    go(visit.page, LAST_OF_ALL[1:])
    visit.page.locator('.dgv[data-step="1"] .dgv-reading').wait_for()
    return visit.page


def token(page, position):
    return page.locator(f".dgv-token[data-position='{position}']")


def test_an_answer_is_selected_and_copied_as_the_text_that_it_is(page):
    copied = page.evaluate(
        """() => {
          getSelection().selectAllChildren(document.querySelector(".dgv-reading"));
          const text = getSelection().toString();
          getSelection().removeAllRanges();
          return text;
        }"""
    )
    assert copied.startswith(READS)
    assert copied.removeprefix(READS).strip() == "<eos> × 5"


def test_parts_of_a_character_are_joined_once_they_fit_and_are_bytes_while_they_do_not(page):
    expect(token(page, 5)).to_have_text(" あ")
    expect(token(page, 6)).to_have_text("")
    expect(token(page, 8)).to_have_text(FAMILY)
    expect(token(page, 10)).to_have_class("dgv-token dgv-accepted dgv-changed dgv-part")
    page.keyboard.press("Home")
    expect(token(page, 1)).to_have_text("⟨82⟩")
    expect(token(page, 3)).to_have_text(" ⟨E3⟩⟨81⟩", use_inner_text=False)
    assert token(page, 3).get_attribute("aria-label") == "part of a character"
    expect(token(page, 0)).to_have_text("<b>x</b>")
    assert page.locator(".dgv-reading b").count() == 0


def test_lines_break_indent_and_run_as_their_text_does(page):
    left = "(node) => node.getBoundingClientRect().left"
    lines = [token(page, position).evaluate("(node) => node.getBoundingClientRect().top") for position in (0, 4, 8, 12)]
    assert lines == sorted(set(lines)), "four lines"
    assert token(page, 4).evaluate(left) > token(page, 0).evaluate(left) + 20, "indented"
    assert token(page, 13).evaluate(left) < token(page, 12).evaluate(left), "from the right"
    edge = page.locator(".dgv-reading").evaluate("(node) => node.getBoundingClientRect().right")
    assert edge - token(page, 12).evaluate("(node) => node.getBoundingClientRect().right") < 40
    assert token(page, 2).evaluate("(node) => getComputedStyle(node.firstChild, '::before').content") == '"↵"'


def test_what_fills_the_answer_folds_until_it_is_looked_at(page):
    filling = page.locator(".dgv-fold")
    expect(filling).to_have_text("<eos> × 5")
    assert filling.get_attribute("aria-label") == "5 tokens that end or fill"
    assert not token(page, 16).is_visible()
    go(page, "step=1&views=canvas&layout=reading&position=16")
    expect(token(page, 16)).to_be_visible()
    go(page, LAST_OF_ALL[1:])
    expect(token(page, 16)).to_be_hidden()
    filling.click()
    expect(token(page, 16)).to_be_visible()


def test_the_grid_is_one_key_away_and_keeps_what_was_pinned(page):
    token(page, 4).click()
    page.keyboard.press("t")
    expect(page.locator(".dgv-grid .dgv-pinned")).to_have_attribute("data-position", "4")
    assert page.get_by_label("Layout").input_value() == "grid"
    page.get_by_label("Layout").select_option("reading")
    expect(page.locator(".dgv-reading .dgv-pinned")).to_have_attribute("data-position", "4")
    page.keyboard.press("Home")
    expect(page.locator('.dgv[data-step="0"]')).to_be_visible()
    page.wait_for_function("location.hash.includes('layout=reading')")


def test_arrows_go_from_line_to_line_and_tokens_take_clicks(page):
    token(page, 4).click()
    expect(token(page, 4)).to_have_attribute("aria-selected", "true")
    for key, position in (("ArrowUp", 2), ("ArrowDown", 4), ("ArrowDown", 11), ("ArrowLeft", 10), ("Home", 0)):
        page.keyboard.press(key)
        expect(token(page, position)).to_be_focused()
    page.keyboard.press("Enter")
    expect(token(page, 0)).to_have_attribute("aria-selected", "true")


def test_a_screen_reader_is_told_what_is_not_seen(page):
    """Line ends, spaces and what goes on with a character have no text of their own to be read."""
    assert token(page, 2).get_attribute("aria-label") == "line end"
    assert token(page, 3).get_attribute("aria-label") == "4 spaces"
    assert token(page, 6).get_attribute("aria-label") == "part of the character before"
    assert token(page, 0).get_attribute("aria-label") is None
    assert_accessible(page)
    page.keyboard.press("Home")
    assert_accessible(page)
