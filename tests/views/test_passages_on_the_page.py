"""Where views speak of positions, they say the text: in hovers, in words for screen readers, and of two runs."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from dgemma_viz.figures.heatmap import heatmap
from tests.handmade import handmade_trace
from tests.real_text import real_trace
from tests.views.exported import exported, go

pytestmark = pytest.mark.browser
TRACE = real_trace(steps=5)
MAP = ".js-plotly-plot >> nth=0"
PIECES = {"count": " count", "wor": "_wor", "ds": "ds", "open": "(", "x": "x", "sun": "日", "book": "本"}


@pytest.fixture(scope="module")
def page(chromium):
    with exported(chromium, TRACE, at="#layout=reading&canvas=1", width=1280, height=1400) as visit:
        visit.page.locator(MAP).wait_for()
        yield visit.page


def test_the_page_quotes_as_the_figures_of_python_do(page):
    shown = page.locator(MAP).evaluate(
        "({ data: [{ customdata }] }) => customdata.map((row) => row.map(([said]) => said))"
    )
    expected = heatmap(TRACE, 1).data[0].customdata[..., 0]
    last = list(zip(shown[-1], expected[-1], strict=True))
    assert sum(said == there for said, there in last) > 180
    # JavaScript counts a character of the higher planes as two, so that less of the text has room beside it.
    assert [pair for pair in last if pair[0] != pair[1] and max("".join(pair)) < "\U00010000"] == []
    assert shown[-1][0] == "“cat | 2 | 18 % | ↵ | saw | 2 | 18 % | …”"
    assert any("\u2068العربية\u2069" in said for said in shown[-1])


def test_what_is_pinned_is_said_in_its_text(page):
    go(page, "layout=reading&canvas=0&step=4&position=54")
    passage = "“… def count_words(text: str, top: int = …”"
    expect(page.locator(".dge-passage")).to_have_text(passage)
    value = float(f"{TRACE.canvas_run().array('confidence')[4, 54]:.3g}")
    page.get_by_role("img", name=f"Selected: step 4, position 54, {value:g}. The draft there: {passage}.").wait_for()
    assert "; there lowest, " in page.get_by_role("img", name="Every step, every position").get_attribute("aria-label")
    page.locator(".dgv-token[data-position='54']").hover()
    expect(page.locator(".dgv-tip-title").first).to_have_text(passage)


def test_a_screen_reader_is_told_what_changed_in_its_text(page):
    go(page, "layout=reading&canvas=0&step=3")
    said = page.locator(".dgv-aside[aria-live='polite']").first
    expect(said).to_contain_text("Step 3 of 4: ")
    expect(said).to_contain_text(" Changed: “")


def test_a_change_inside_a_word_marks_the_word_in_the_reading_layout(chromium):
    texts = ["count wor ds open x sun book", "count wor x open x sun x"]
    runs = (handmade_trace([text], words=texts[0].split()) for text in texts)
    a, b = (replace(run, token_texts={t: PIECES.get(w, w) for t, w in run.token_texts.items()}) for run in runs)
    with exported(chromium, (a, b), at="#views=canvas&layout=reading", width=900, height=600) as visit:

        def marked(name):
            cells = visit.page.locator(".dgv").first.locator(name)
            cells.first.wait_for()
            return [int(cell.get_attribute("data-position")) for cell in cells.all()]

        assert marked(".dgv-word-differs") == [0, 1, 2, 6]
        assert marked(".dgv-word-begins") == [0, 6]
        assert marked(".dgv-differs") == [2, 6]


def test_a_fold_counts_one_kind_of_token(page):
    go(page, "layout=reading&canvas=2&step=4")
    expect(page.locator(".dgv-fold")).to_have_text("<eos> × 235")
    expect(page.get_by_text("<turn|>", exact=True)).to_be_visible()
