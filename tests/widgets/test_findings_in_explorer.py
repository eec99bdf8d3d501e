"""The explorer's findings: they come from the diagnosis, follow the reference, and choosing one jumps to its place."""

import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.single_run import RunSettings, record_run
from tests.browser import open_page, serve_notebook

SUDOKU = "sudoku 32__/14_3/41__/___1="
SOLVED = "3214/1423/4132/2341"

IN_A_PAGE = f"""
import dgemma_viz as dv
from dgemma_viz.labs.single_run import RunSettings, record_run
trace = record_run(*dv.load_tiny(), "{SUDOKU}", RunSettings(seed=0))
dv.explore(trace, reference="{SOLVED[:12]}9{SOLVED[13:]}<img src=x onerror=alert(1)>")
"""


@pytest.fixture(scope="module")
def trace():
    return record_run(*dv.load_tiny(), SUDOKU, RunSettings(seed=0))


def test_a_healthy_right_run_has_no_finding(trace):
    explorer = dv.explore(trace)
    assert explorer.findings.entries == []
    assert explorer.findings.summary == "nothing found"
    assert explorer.findings.remark == ""


def test_a_reference_that_differs_is_found_and_choosing_it_jumps_there(trace):
    explorer = dv.explore(trace, f"{SOLVED[:12]}9{SOLVED[13:]}")
    found = [finding for finding in explorer.diagnosis if 12 in finding.positions]
    assert found
    explorer.findings.chosen = explorer.diagnosis.findings.index(found[0])
    assert explorer.selection.position == found[0].positions[0]
    assert explorer.selection.step == found[0].step
    explorer.findings.chosen = -1
    assert explorer.selection.position == found[0].positions[0], "closing a finding leaves the view where it is"


def test_another_trace_has_its_own_findings(trace):
    explorer = dv.explore(trace, "wrong")
    explorer.findings.chosen = 0
    explorer.show(trace)
    assert explorer.findings.entries == []
    assert explorer.findings.chosen == -1


def test_without_a_reference_the_list_says_what_it_could_not_look_for():
    model, tokenizer = dv.load_tiny()
    from dgemma_viz.tiny import encode_prompt

    with dv.record(model, tokenizer) as recording:
        model.generate(**encode_prompt(tokenizer, SUDOKU))
    assert "reference" in dv.explore(recording.trace).findings.remark


def test_a_reference_that_is_none_is_refused(trace):
    with pytest.raises(SettingError, match="not a list"):
        dv.explore(trace, ["3"])


def test_a_finding_in_another_sample_and_canvas_is_reached():
    from dgemma_viz.diagnosis import Finding, Severity
    from tests.synthetic import synthetic_trace

    explorer = dv.explore(synthetic_trace(canvases=2, samples=2, length=12, steps=[[10, 6], [4, 8]]))
    there = Finding("r", Severity.ERROR, "", "", sample=1, canvas=1, step=6, positions=(5, 7))
    object.__setattr__(explorer.diagnosis, "findings", (there,))
    explorer.findings.chosen = 0
    chosen = explorer.selection
    assert (chosen.sample, chosen.canvas, chosen.step, chosen.position) == (1, 1, 6, 5)
    assert explorer.token_canvas.step == 6
    assert explorer.token_canvas.named == [5, 7]
    chosen.sample = 0
    assert explorer.token_canvas.named == [], "the finding is about another sample"
    chosen.sample = 1
    assert explorer.token_canvas.named == [5, 7]
    explorer.findings.chosen = -1
    assert explorer.token_canvas.named == []


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_clicking_a_finding_moves_the_canvas(chromium, theme):
    with serve_notebook(IN_A_PAGE, theme=theme) as url, open_page(chromium, url, wait_for=".dgf-finding") as visit:
        page = visit.page
        finding = page.locator(".dgf-finding", has_text="positions 12").first
        assert finding.get_attribute("aria-expanded") == "false"
        finding.focus()
        page.keyboard.press("Enter")
        page.locator(".dgv-pinned[data-position='12']").wait_for()
        page.locator(".dgf-details").get_by_text("Try:").wait_for()
        page.locator(".dgv-named[data-position='12']").wait_for()
        expect(page.locator(".dgv-key", has_text="in the finding")).to_be_visible()
        expect(page.locator(".dgf-finding[aria-expanded='true']")).to_have_count(1)
        assert page.locator("img[src=x]").count() == 0
        assert visit.console_errors == []
        assert visit.other_hosts == set()
