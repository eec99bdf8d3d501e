"""A channel folds into one mark once it is written, and opens and closes by pointer and keyboard; the head names it."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.chat import chat_structure
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.views import contents
from dgemma_viz.views.contents import unframe
from tests.handmade import handmade_trace
from tests.real_text import SPECIAL, real_trace
from tests.views.exported import exported, go

TRACE = real_trace("Yes, it is.\n", length=32, steps=4)
(CHANNEL,) = chat_structure(TRACE).channels
TOKENS, HERE = CHANNEL.tokens, CHANNEL.stretches[0]
MARK = f"thought · {TOKENS} tokens"
LAST = "step=3&views=canvas&layout=reading"


def run_of(trace, canvas=0):
    return unframe(contents(trace).place(canvas, 0))[0]["runs"][0]


def words_of(trace, canvas=0):
    return run_of(trace, canvas)["words"]


def test_a_place_tells_its_channels_and_turns_with_their_spans():
    (channel,) = words_of(TRACE)["channels"]
    assert (channel["name"], channel["tokens"], channel["ended"]) == ("thought", TOKENS, True)
    assert channel["here"] == [0, TOKENS]
    assert (channel["begin"], channel["end"]) == ([0, 0], [0, TOKENS - 1])
    (turn,) = words_of(TRACE)["turns"]
    assert (turn["name"], turn["begin"], turn["ended"]) == ("model", None, True)
    long = real_trace("Yes.\n", length=8, steps=3)
    assert [words_of(long, canvas)["channels"][0]["here"] for canvas in (0, 1)] == [[0, 8], [0, 8]]


def test_tokens_of_markup_are_special_on_the_page():
    ids = {text: token for token, text in TRACE.token_texts.items()}
    occur = set(map(int, run_of(TRACE)["texts"]))
    assert set(words_of(TRACE)["special"]) == {ids[text] for text in SPECIAL} & occur
    word = next(token for token in occur if TRACE.token_text(token) not in SPECIAL)
    recorded = replace(TRACE, facts=replace(TRACE.facts, special_token_ids=(word,)))
    assert set(words_of(recorded)["special"]) == {word} | set(TRACE.facts.eos_token_ids) & occur


def test_the_head_has_a_line_for_each_channel_and_says_how_it_was_recognised():
    (head,) = contents(TRACE).page["heads"]
    line = head.split('<ul class="dgx-channels">')[1].split("</ul>")[0]
    assert f"<b>thought</b>: {TOKENS} tokens, settled after {CHANNEL.steps} steps" in line
    assert f"{100 * CHANNEL.share:.0f} %" in line
    assert "ended" in line
    assert "derived" in line
    assert "does not say which of them are markup" in head
    assert "dgx-channels" not in contents(handmade_trace(["a b <eos>"])).page["heads"][0]
    unended = handmade_trace(["<think> hmm <eos>"])
    assert "never ended" in contents(unended).page["heads"][0]


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, TRACE, at=f"#{LAST}", width=800, height=700) as visit:
        yield visit


@pytest.fixture
def page(visit):
    visit.page.reload()
    go(visit.page, LAST)
    visit.page.locator('.dgv[data-step="3"] .dgv-reading').wait_for()
    return visit.page


def token(page, position):
    return page.locator(f".dgv-token[data-position='{position}']")


@pytest.mark.browser
@pytest.mark.parametrize("layout", ["reading", "grid"])
def test_a_written_channel_is_one_mark_that_a_click_opens_and_closes(page, layout):
    go(page, LAST.replace("reading", layout))
    page.locator(f".dgv-{layout}").wait_for()
    first, inside, behind = token(page, 0), token(page, HERE.end - 1), token(page, HERE.end)
    expect(first).to_have_text(MARK)
    assert first.get_attribute("aria-label") == f"thought, {TOKENS} tokens, folded"
    expect(inside).to_be_hidden()
    expect(behind).to_be_visible()
    first.click()
    expect(inside).to_be_visible()
    expect(first).to_have_text("<|channel>")
    assert page.locator(".dgv-pinned").count() == 0
    page.locator(".dgv-refold:visible").first.click()
    expect(first).to_have_text(MARK)
    expect(inside).to_be_hidden()


@pytest.mark.browser
def test_keys_go_around_a_fold_open_it_and_close_it(page):
    token(page, HERE.end).focus()
    page.keyboard.press("ArrowLeft")
    expect(token(page, 0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(token(page, HERE.end)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    expect(token(page, 1)).to_be_focused()
    page.keyboard.press("f")
    expect(token(page, 0)).to_be_focused()
    expect(token(page, 0)).to_have_text(MARK)
    page.keyboard.press("f")
    expect(token(page, 1)).to_be_visible()
    page.keyboard.press("End")
    expect(page.locator(".dgv-token:focus")).to_be_visible()


@pytest.mark.browser
def test_it_is_open_while_it_is_written_and_where_something_in_it_is_looked_at(page):
    expect(token(page, 2)).to_be_hidden()
    page.keyboard.press("Home")
    expect(token(page, 2)).to_be_visible()
    assert page.locator(".dgv-fold").count() == 0
    go(page, f"{LAST}&position=2")
    expect(token(page, 2)).to_be_visible()
    token(page, 2).focus()
    page.keyboard.press("f")
    expect(token(page, 2)).to_be_hidden()
    go(page, f"{LAST}&position=3")
    expect(token(page, 3)).to_be_visible()


@pytest.mark.browser
def test_a_channel_that_differs_from_the_other_run_stays_open(chromium):
    draft = TRACE.draft.copy()
    draft[-1, 0, 5] = draft[-1, 0, 7]
    for other, folds in ((TRACE, 2), (replace(TRACE, draft=draft), 0)):
        with exported(chromium, pair_of(TRACE, other), at=f"#{LAST}", width=1200, height=700) as visit:
            visit.page.locator('.dgv[data-step="3"]').nth(1).wait_for()
            expect(visit.page.get_by_text(MARK)).to_have_count(folds)
