"""The page of two traces: both canvases move together, mark what differs, and jump to where it began."""

import re
from dataclasses import fields, replace

import numpy as np
import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.comparison import pair_of
from tests.accessibility import LOOKS, assert_accessible, tab_stops
from tests.browser import assert_fits, until
from tests.synthetic import NASTY_TEXTS, TEXTS, synthetic_trace
from tests.views.exported import DRAWN, exported, go

pytestmark = pytest.mark.browser


def two_runs():
    """Of 12 and 10 steps: other candidates from step 4 on, other drafts from step 5 on."""
    a = synthetic_trace(length=24, steps=[[12]], texts=(*TEXTS, *NASTY_TEXTS[2:4]))
    draft, candidate = np.array(a.draft), np.array(a.candidate)
    draft[5, 0, 7] = candidate[4, 0, 7] = 3
    draft[9:, 0, [2, 7]] = 3
    shorter = {
        one.name: value[:10]
        for one in fields(a)
        if isinstance(value := getattr(a, one.name), np.ndarray) and len(value) == a.n_steps
    }
    changed = shorter | {"draft": draft[:10], "candidate": candidate[:10], "emitted": draft[9:10]}
    facts = replace(a.facts, sampler="DiscreteDDIMScheduler")  # which has no bound to tell why
    return pair_of(a, replace(a, **changed, facts=facts))


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, two_runs(), width=1400, height=1600) as visit:
        visit.page.locator(DRAWN).nth(1).wait_for()
        yield visit


@pytest.fixture
def page(visit):
    """One page for all tests; each finds it as it opens."""
    go(visit.page, "")
    until(visit.page, at([0, 0]))
    return visit.page


def at(steps):
    """Expression: the steps of both canvases."""
    return (
        f"String([...document.querySelectorAll('.dgv')].map((node) => node.dataset.step)) === '{steps[0]},{steps[1]}'"
    )


def steps(page):
    return page.eval_on_selector_all(".dgv", "(all) => all.map((node) => Number(node.dataset.step))")


def marked(page, run):
    cells = page.get_by_role("region", name=f"Token canvas of run {run}").locator(".dgv-differs")
    return [int(cell.get_attribute("data-position")) for cell in cells.all()]


def test_the_jump_goes_to_the_first_difference(page):
    expect(page.get_by_text("canvas 0, step 4: the candidates drawn")).to_be_visible()
    page.get_by_role("button", name="Jump to the first difference").click()
    until(page, at([4, 4]))
    page.get_by_text("Position 7", exact=True).wait_for()
    expect(page.locator(".dgv-pinned[data-position='7']")).to_have_count(2)


def test_keys_in_either_canvas_move_both_and_drafts_that_differ_are_marked_in_both(page):
    sliders = page.get_by_role("slider")
    for slider, key, wanted in ((0, "ArrowRight", [1, 1]), (1, "ArrowRight", [2, 2]), (1, "Home", [0, 0])):
        sliders.nth(slider).focus()
        page.keyboard.press(key)
        assert steps(page) == wanted
    for step, positions in ((3, []), (5, [7]), (9, [2, 7])):
        sliders.first.fill(str(step))
        assert marked(page, "A") == marked(page, "B") == positions
        key = page.locator(".dgv-key", has_text="differs").first
        assert key.locator("b").inner_text() == str(len(positions))


def test_what_is_chosen_for_one_canvas_is_chosen_for_both(page):
    page.get_by_label("Colour").nth(1).select_option("entropy")
    page.get_by_label("Text").first.select_option("noised")
    page.locator(".dgv-tokens").nth(1).locator(".dgv-token").nth(5).click()
    for n in (0, 1):
        expect(page.get_by_label("Colour").nth(n)).to_have_value("entropy")
        expect(page.get_by_label("Text").nth(n)).to_have_value("noised")
        expect(page.locator(".dgv-tokens").nth(n).locator(".dgv-pinned")).to_have_attribute("data-position", "5")


def test_the_shorter_run_stays_at_its_last_step_and_is_compared_there(page):
    longer, shorter = page.get_by_role("slider").first, page.get_by_role("slider").nth(1)
    longer.press("End")
    assert steps(page) == [11, 9]
    assert marked(page, "A") == (at_the_end := marked(page, "B"))
    page.locator(".dgv-token").nth(3).click()
    for name, step in (("A", 11), ("B", 9)):
        page.get_by_role("heading", name=f"Run {name}: position 3 at step {step}", exact=True).wait_for()
    shorter.press("ArrowLeft")
    assert steps(page) == [8, 8]
    longer.press("ArrowRight")
    assert steps(page) == [9, 9]
    assert marked(page, "B") == [2, 7]
    longer.press("End")
    assert marked(page, "B") == at_the_end


def test_a_position_of_both_runs_stands_side_by_side(page):
    go(page, "step=5&position=7")
    table = page.get_by_role("table", name="Position 7")
    for row in ("at step 5 5 measured", "≠ draft .+ measured", "≠ why .* – derived"):
        table.get_by_role("row", name=re.compile(f"^{row}$")).wait_for()
    changed = table.locator("tbody tr").evaluate_all(
        "(rows) => rows.map((row) => [row.cells[1].textContent !== row.cells[2].textContent, row.className])"
    )
    assert {(differs, name) for differs, name in changed} == {(True, "dgc-changed"), (False, "")}
    history = page.get_by_role("region", name="History of the position in run B")
    history.get_by_role("button", name="2", exact=True).click()
    until(page, at([2, 2]))


def test_the_charts_follow_and_clicking_them_moves_both(page):
    page.get_by_role("slider").first.fill("3")
    page.get_by_role("img", name="Selected: step 3.").first.wait_for()
    area = page.locator(".js-plotly-plot").first.locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.click(box["x"] + box["width"] * (20.5 / 24), box["y"] + box["height"] * (6.5 / 12))
    until(page, at([6, 6]))
    page.get_by_text("Position 20", exact=True).wait_for()


def test_playing_one_moves_the_other_and_only_one_plays(page):
    for speed in page.get_by_label("Steps per second").all():
        speed.select_option("1")  # not at the end before the next press
    page.get_by_role("button", name="Play (space)").first.click()
    until(page, "[...document.querySelectorAll('.dgv')].every((node) => Number(node.dataset.step) > 1)")
    page.get_by_role("button", name="Play (space)").click()
    until(page, "document.querySelectorAll('button[aria-label=\"Pause (space)\"]').length === 1")
    page.get_by_role("button", name="Pause (space)").click()


def test_side_by_side_when_wide_stacked_when_narrow_and_accessible(page):
    page.locator(".dgv-token").nth(3).click()
    places = "[...document.querySelectorAll('.dgv-tokens')].map((node) => node.getBoundingClientRect().left)"
    left, right = page.evaluate(places)
    assert right > left + 400
    for scheme, rules in (("light", ()), ("dark", LOOKS)):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(600)
        assert_accessible(page, rules)
    page.set_viewport_size({"width": 380, "height": 1600})
    assert_fits(page)
    left, right = page.evaluate(places)
    assert left == right
    wide = "[...document.querySelectorAll('.js-plotly-plot, .dgc table, .dge-history table')]"
    until(page, f"{wide}.every((part) => part.getBoundingClientRect().right <= 380)")
    assert_accessible(page, LOOKS)
    assert [stop for stop in tab_stops(page) if not (stop.seen and stop.name)] == []
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1400, "height": 1600})


def test_nothing_of_the_texts_runs(page):
    assert page.locator(".dgv-tokens script, .dgc script, .dgc b b").count() == 0


def test_what_only_one_run_has_is_said_and_its_charts_stay(chromium):
    both = pair_of(synthetic_trace(canvases=2, length=12), synthetic_trace(length=9, seed=1))
    with exported(chromium, both, at="#canvas=1&step=2&position=3") as visit:
        page = visit.page
        page.get_by_text("Run B has no denoising steps of sample 0 on canvas 1.").wait_for()
        expect(page.locator(".dgx-empty").first).to_be_visible()
        page.get_by_label("Canvas", exact=True).select_option("0")
        page.get_by_role("button", name="Jump to the first difference").click()
        expect(page.locator(".dgv-tokens").nth(1).locator(".dgv-token")).to_have_count(9)


def test_the_same_run_twice_has_no_jump(chromium):
    trace = synthetic_trace()
    with exported(chromium, pair_of(trace, trace)) as visit:
        visit.page.get_by_text("No difference").wait_for()
        expect(visit.page.get_by_role("button", name="Jump to the first difference")).to_be_hidden()
