"""The glossary is one: the guide repeats it, pages open it, and a press shows a meaning without a kernel."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.glossary import WORDS, explain
from dgemma_viz.views import contents
from dgemma_viz.views.position_rows import row_term, rows_of
from dgemma_viz.views.words import glossary_html, term
from tests.synthetic import synthetic_trace
from tests.views.exported import exported

GUIDE = Path(__file__).parents[2] / "docs" / "words.md"


def test_the_guide_has_the_same_words():
    rows = re.findall(r"^\| (.+) \| (.+) \|$", GUIDE.read_text("utf-8"), re.MULTILINE)[2:]
    assert rows == [(word.name, word.meaning) for word in WORDS]


def test_words_explained_together_are_found_one_by_one():
    assert explain("draft") is explain("candidate, draft") is explain("candidate")
    with pytest.raises(KeyError):
        explain("no such word")


def test_an_unknown_term_is_shown_plainly_and_escaped():
    assert term("<b>") == "&lt;b&gt;"


def test_each_occurrence_opens_a_meaning_of_its_own():
    places = [re.search(r"popovertarget=\"([\w-]+)\"", term("entropy"))[1] for _ in range(2)]
    assert places[0] != places[1]


def test_every_page_has_the_glossary_and_the_inspector_explains_its_rows():
    trace = synthetic_trace()
    for what in (trace, pair_of(trace, trace)):
        assert contents(what).page["glossary"] == glossary_html()
    explained = {row.name for row in rows_of(trace.canvas_run()) if "<button" in row_term(row.name)}
    assert {"read (noised)", "draft", "entropy", "flips up to here", "commit step"} <= explained


@pytest.mark.browser
def test_a_press_on_a_term_opens_its_meaning_and_escape_closes_it(chromium):
    with exported(chromium, synthetic_trace()) as visit:
        page = visit.page
        button = page.get_by_role("button", name="tokens per forward")
        meaning = page.get_by_text(explain("tokens per forward").meaning).first
        expect(meaning).to_be_hidden()
        button.focus()
        page.keyboard.press("Enter")
        expect(meaning).to_be_visible()
        page.keyboard.press("Escape")
        expect(meaning).to_be_hidden()
        page.get_by_text("Words used here").click()
        expect(page.get_by_role("link", name="Ben-Hamu et al. 2025")).to_be_visible()
