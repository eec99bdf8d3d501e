"""The page of one trace: canvas, inspector, findings, map and curves linked by what is looked at."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from dgemma_viz.analysis.acceptance import why
from dgemma_viz.diagnosis import diagnose
from dgemma_viz.figures import heatmap
from dgemma_viz.figures.theme import DARK, LIGHT
from tests.accessibility import LOOKS, assert_accessible, tab_stops
from tests.browser import assert_fits, until
from tests.cut_traces import without_steps
from tests.synthetic import synthetic_trace
from tests.views.exported import CANVAS, DRAWN, exported, go, step_of, tokens
from tests.views.hostile_tokens import HOSTILE

pytestmark = pytest.mark.browser

TRACE = synthetic_trace(length=48, steps=12)
RUN = TRACE.canvas_run()
MAP, CURVES = ".js-plotly-plot >> nth=0", ".js-plotly-plot >> nth=1"


@pytest.fixture(scope="module")
def visit(chromium):
    with exported(chromium, TRACE, "no such answer", height=1700) as visit:
        visit.page.locator(DRAWN).nth(1).wait_for()
        yield visit


@pytest.fixture
def page(visit):
    """One page for all tests; each finds it as it opens."""
    if visit.page.locator(".dgf-chosen").count():
        visit.page.locator(".dgf-finding[aria-expanded=true]").click()
    go(visit.page, "")
    visit.page.locator('.dgv[data-step="0"]').wait_for()
    return visit.page


def heading(page, position, step):
    page.get_by_role("heading", name=f"Position {position} at step {step}", exact=True).wait_for()


def area(page, chart):
    """The box of its first pair of axes."""
    part = page.locator(chart).locator(".nsewdrag").first
    part.scroll_into_view_if_needed()
    return part.bounding_box()


def click(page, chart, across, down):
    box = area(page, chart)
    page.mouse.click(box["x"] + box["width"] * across, box["y"] + box["height"] * down)


def test_a_token_is_inspected_and_its_history_leads_to_other_steps(page):
    inspector = page.get_by_role("region", name="Inspector", exact=True)
    expect(inspector).to_contain_text("Click a token to inspect it")
    page.locator(".dgv-token").nth(20).click()
    heading(page, 20, 0)
    inspector.get_by_role("button", name="7", exact=True).click()
    heading(page, 20, 7)
    assert step_of(page) == 7
    expect(inspector.locator("[aria-current=step]")).to_contain_text(f"{RUN.array('confidence')[7, 20]:.3f}")
    inspector.get_by_role("row", name=f"why {why(RUN, 7, 20)} derived").wait_for()
    inspector.get_by_role("row", name=re.compile("emitted token ever accepted (yes|no) derived")).wait_for()
    chosen = inspector.get_by_role("table", name="Alternatives").get_by_role("row")
    expect(chosen.last).to_contain_text("all other tokens")
    page.locator(".dgv-token").nth(20).click()
    expect(inspector).to_contain_text("Click a token to inspect it")
    for step in ("3", "9"):  # chosen again after others, it is at the step that is shown
        page.get_by_role("slider").fill(step)
    page.locator(".dgv-token").nth(20).click()
    heading(page, 20, 9)


def test_the_history_of_a_position_is_never_cut(page):
    go(page, "step=4&position=20")
    cut = "[...document.querySelectorAll('.dge-history')].some((node) => node.scrollWidth > node.clientWidth)"
    for width in (1280, 1100, 380):
        page.set_viewport_size({"width": width, "height": 1700})
        assert page.get_by_text("▲ changed").count() > 0
        assert not page.evaluate(cut), width
    page.set_viewport_size({"width": 1280, "height": 1700})


def test_clicks_in_the_charts_move_step_and_position(page):
    click(page, MAP, 30.5 / 48, 5.5 / 12)
    heading(page, 30, 5)
    click(page, CURVES, 0.9, 0.5)
    until(page, "document.querySelector('.dgv').dataset.step !== '5'")
    heading(page, 30, step_of(page))


def test_the_map_shows_the_recorded_values_and_another_colour_draws_it_alone(page):
    drawn = "(chart) => { chart.times = 0; chart.on('plotly_afterplot', () => (chart.times += 1)); }"
    page.locator(CURVES).evaluate(drawn)
    seen = {}
    for name in ("flips", "accepted", "entropy", "commit_step", "confidence"):
        page.get_by_label("Colour").select_option(name)
        expected = heatmap(TRACE, 0, 0, name)
        page.get_by_text(expected.layout.title.subtitle.text).wait_for()
        cells = page.locator(MAP).evaluate("({ data: [{ z, zmax, text, customdata }] }) => [z, zmax, text, customdata]")
        np.testing.assert_allclose(np.array(cells[0], float), expected.data[0].z, rtol=1e-5)
        assert cells[1] == pytest.approx(expected.data[0].zmax)
        seen[name] = cells
    assert seen["entropy"][2] == seen["confidence"][2], "the texts are the drafts"
    row, column = next(
        (r, c) for r, cells in enumerate(seen["commit_step"][0]) for c, z in enumerate(cells) if z is None
    )
    assert seen["commit_step"][3][row][column][1].startswith("commit step: draft still changes later")
    assert page.locator(CURVES).evaluate("(chart) => chart.times") == 0


AT_TICK = """([chart, mark, axis, tick]) => {
  const figure = document.querySelectorAll(".dgp-figure")[chart];
  const middle = (node) => {
    const box = node.getBoundingClientRect();
    return axis === "x" ? box.x + box.width / 2 : box.y + box.height / 2;
  };
  const number = (text) => (text.querySelector("tspan") ?? text).textContent; // a word stands below it
  const ticks = [...figure.querySelectorAll(`.${axis}tick text`)].filter((text) => number(text) === tick);
  const marks = [...figure.querySelectorAll(mark)];
  return ticks.length > 0 && marks.some((node) => Math.abs(middle(node) - middle(ticks[0])) < 1.5);
}"""


def test_marks_stay_with_what_they_mark_at_every_width_and_colour(page):
    go(page, "step=5&position=20")

    def marked(step):
        page.get_by_role("slider").fill(str(step))
        for place in (
            (0, ".dgp-frame", "y", str(step)),
            (0, ".dgp-frame", "x", "20"),
            (1, ".dgp-line", "x", str(step)),
        ):
            until(page, AT_TICK, list(place))

    marked(5)
    marked(6)
    page.set_viewport_size({"width": 900, "height": 1700})
    page.wait_for_timeout(400)
    marked(6)
    page.get_by_label("Colour").select_option("entropy")
    page.set_viewport_size({"width": 1280, "height": 1700})
    page.wait_for_timeout(400)
    marked(5)


def test_figures_say_in_words_what_they_show(page):
    chart = page.get_by_role("img", name="Every step, every position.")
    until(page, "document.querySelector('.dgp-figure').ariaLabel.endsWith('Selected: step 0.')")
    assert " confidence · measured. A map, position (48) by denoising step (12): values from 0" in chart.get_attribute(
        "aria-label"
    )
    curves = page.get_by_role("img", name="How the canvas came to rest.").get_attribute("aria-label")
    assert re.search(r"noise ratio: from [\d.]+ at 0 to 0 at 11\.", curves)
    page.locator(".dgv-token").first.focus()
    for key in ("ArrowRight", "Enter", "."):
        page.keyboard.press(key)
    value = float(f"{RUN.array('confidence')[1, 1]:.3g}")
    page.get_by_role("img", name=f"Selected: step 1, position 1, {value:g}.").wait_for()
    page.get_by_label("Colour").select_option("accepted")
    page.get_by_role("img", name="accepted · measured. A map").and_(
        page.get_by_role("img", name=" re-noised ")
    ).wait_for()


def test_a_finding_opens_its_evidence_and_leads_to_its_place_by_keyboard_and_by_click(page):
    findings = page.locator(".dgf-finding")
    found = diagnose(TRACE, "no such answer").findings
    expect(findings).to_have_count(len(found))
    findings.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.locator(".dgf-chosen").get_by_text("Try: ").wait_for()
    expect(findings.nth(1)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press(" ")
    page.locator(".dgf-chosen").wait_for(state="detached")
    until(page, "document.activeElement.className === 'dgf-finding'")
    index = next(n for n, one in enumerate(found) if one.positions and one.step is not None)
    findings.nth(index).click()
    heading(page, found[index].positions[0], found[index].step)
    named = page.locator(".dgv-named")
    assert [int(cell.get_attribute("data-position")) for cell in named.all()] == sorted(found[index].positions)
    expect(page.locator(".dgv-key", has_text="in the finding")).to_be_visible()
    findings.nth(index).click()
    expect(named).to_have_count(0)
    heading(page, found[index].positions[0], found[index].step)


def test_folded_it_is_the_canvas_alone_until_a_key_or_a_click_unfolds_it(chromium, page):
    page.locator(".dgv-token").first.press("v")
    expect(page.locator(".dgp-figure").first).to_be_hidden()
    expect(page.get_by_text("Findings")).to_be_hidden()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="All views").click()
    expect(page.locator(".dgp-figure").first).to_be_visible()
    with exported(chromium, TRACE, at=CANVAS) as visit:
        folded, blobs = visit.page, [url for url in visit.requests if url.startswith("blob:")]
        folded.wait_for_timeout(300)
        assert len(blobs) == 1, "the viewer; Plotly is not even unpacked"
        assert folded.locator(".js-plotly-plot").count() == 0
        folded.keyboard.press("v")
        folded.locator(DRAWN).nth(1).wait_for()
        assert sum(url.startswith("blob:") for url in visit.requests) == 2
        assert folded.locator(".modebar, [data-title*=cloud], a[href*=plotly]").count() == 0, "nothing goes elsewhere"


def test_charts_follow_a_page_that_turns_dark_and_light_again(page):
    paper = (
        "[...document.querySelectorAll('.js-plotly-plot')]"
        ".map((chart) => chart.layout.template.layout.paper_bgcolor).join()"
    )
    for scheme, look in (("dark", DARK), ("light", LIGHT)):
        page.emulate_media(color_scheme=scheme)
        until(page, f"{paper} === '{look.paper},{look.paper}'")


@pytest.mark.parametrize("width", [380, 1280])
def test_axe_finds_nothing_serious_and_nothing_is_too_wide(page, width):
    page.set_viewport_size({"width": width, "height": 1700})
    page.locator(".dgf-finding").first.click()
    page.locator(".dgv-token").nth(3).click()
    for scheme, rules in (("light", ()), ("dark", LOOKS)):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_timeout(600)
        assert_accessible(page, rules)
    assert_fits(page)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 1700})


def test_tab_reaches_every_control_and_shows_where_it_is_and_leaves(page):
    page.locator(".dgv-token").nth(3).click()
    stops = tab_stops(page)
    assert [stop for stop in stops if not (stop.seen and stop.name)] == []
    reached = {(stop.kind, stop.name) for stop in stops}
    names = ("Play (space)", "First step (Home)", "The canvas alone", "Copy link to this place", "commit step")
    for control in (*(("button", name) for name in names), ("input", "Denoising step"), ("summary", "Keyboard (?)")):
        assert control in reached
    assert sum(stop.kind == "option" for stop in stops) == 1, "one token; arrows go to the others"


def test_canvases_samples_and_findings_can_be_chosen_and_no_token_text_runs(chromium):
    trace = synthetic_trace(length=24, canvases=2, samples=2, steps=[[9, 5], [7, 0]], texts=HOSTILE, seed=3)
    with exported(chromium, trace, width=380) as visit:
        page = visit.page
        canvas, sample = (page.get_by_label(name, exact=True) for name in ("Canvas", "Sample"))
        page.locator(".dgf-finding").first.click()
        canvas.select_option("1")
        page.get_by_text("step 0 of 6", exact=True).wait_for()
        page.locator(".dgv-token").first.click()
        heading(page, 0, 0)
        page.get_by_role("slider").fill("6")
        sample.select_option("1")
        page.get_by_text("had ended before canvas 1").wait_for()
        expect(page.locator(".dgp-figure").first).to_be_hidden()
        canvas.select_option("0")
        page.get_by_text("step 0 of 4", exact=True).wait_for()
        expect(page.locator(".dgp-figure").first).to_be_visible()
        page.locator(".dgv-token").nth(2).click()
        page.get_by_role("slider").fill("3")
        sample.select_option("0")
        heading(page, 2, 3)
        page.get_by_role("slider").fill("8")
        sample.select_option("1")
        heading(page, 2, 4)
        page.locator(MAP).hover()
        for position in range(0, 24, 5):
            page.locator(".dgv-token").nth(position).hover()
        assert page.evaluate("window.ran") is None
        assert page.locator("#page").locator("img, script, b b, a:not(.dgx-source)").count() == 0
        for layout in ("grid", "reading"):
            page.get_by_label("Layout").select_option(layout)
            shown = "(all) => all.map((cell) => cell.textContent || cell.matches('.dgv-part, .dgv-folded'))"
            assert all(page.locator(f".dgv-{layout} .dgv-token").evaluate_all(shown))
        assert_fits(page)


def test_a_run_that_broke_off_before_its_first_step_says_so(chromium):
    with exported(chromium, without_steps(TRACE), wait_for=".dgv-message") as visit:
        page = visit.page
        page.get_by_text("holds no denoising steps").wait_for()
        expect(page.locator(".dgp-figure").first).to_be_hidden()
        expect(page.get_by_role("button", name="Play")).to_be_disabled()
        assert page.locator("select[name]").count() == 0, "nothing to choose"
        assert tokens(page) == []
