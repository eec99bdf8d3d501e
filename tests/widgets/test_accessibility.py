"""All that notebooks are made of on one Voila page: for axe in both looks, by Tab alone, and for a screen reader."""

import nbformat
import pytest
from playwright.sync_api import expect

from dgemma_viz.serving.notebooks import notebooks_folder
from tests.accessibility import assert_accessible_in_both_looks, tab_stops
from tests.browser import open_page

pytestmark = pytest.mark.browser


WIDGETS = """
import pandas as pd
import dgemma_viz as dv
from IPython.display import display
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.widgets.bound_explorer import BoundExplorer
from dgemma_viz.widgets.exercises import Exercise, Exercises
from dgemma_viz.widgets.race_view import RaceView
from dgemma_viz.widgets.reading_table import reading_table
from dgemma_viz.widgets.run_set_charts import RunSetCharts
from dgemma_viz.widgets.run_set_explorer import RunSetExplorer
from tests.synthetic import synthetic_trace
from dgemma_viz.labs import decoding

model, tokenizer = dv.load_tiny()
runs = run_many(model, tokenizer, ["add 347+678=", "sort 53918="], [0])
race = decoding.race(model, tokenizer, ["add 347+678="], ["autoregressive", "diffusion"], repeats=1)
trace, other = (synthetic_trace(length=24, steps=6, seed=seed) for seed in (0, 1))
display(dv.explore(trace, model=model, tokenizer=tokenizer), BoundExplorer(trace), RaceView(race))
display(dv.compare(trace, other), RunSetExplorer(runs), RunSetCharts(runs, ["error spread", "reliability"]))
display(Exercises(Exercise("How many?", 3.0), Exercise("Which?", "a", options=("a", "b"))))
display(reading_table(race.table()[["way", "output", "tokens"]]), pd.DataFrame({"a": [1]}))
display(dv.diagnose(trace), dv.check_conformance(trace))
"""


@pytest.fixture(scope="module")
def visit(chromium, serve, tmp_path_factory):
    """The prose of all notebooks and the kinds of widgets in them, without the minutes that running them takes."""
    notebooks = [nbformat.read(path, as_version=4) for path in sorted(notebooks_folder().glob("*.ipynb"))]
    prose = [cell.source for notebook in notebooks for cell in notebook.cells if cell.cell_type == "markdown"]
    cells = [*map(nbformat.v4.new_markdown_cell, prose), nbformat.v4.new_code_cell(WIDGETS)]
    page = nbformat.v4.new_notebook(cells=cells)
    page.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = tmp_path_factory.mktemp("all") / "all.ipynb"
    nbformat.write(page, path)
    with (
        serve(path) as url,
        open_page(chromium, url, wait_for=".dgc") as visit,
    ):
        visit.page.wait_for_function(
            "() => { const plots = [...document.querySelectorAll('.dgp-figure')];"
            " return plots.length === 12 && plots.every((plot) => plot.getAttribute('aria-label')); }"
        )
        expect(visit.page.locator(".dgv-tokens")).to_have_count(5)
        visit.page.locator(".dgf-finding").first.wait_for()
        yield visit


@pytest.fixture
def explorer(visit):
    """The viewer of one trace, first on the page."""
    return visit.page.locator(".dge", has=visit.page.locator(".dgx-head")).first


def test_axe_finds_nothing_serious(visit):
    assert_accessible_in_both_looks(visit.page)
    assert visit.console_errors == []


def test_tab_reaches_every_control_and_shows_where_it_is_and_leaves(visit):
    stops = tab_stops(visit.page)
    assert [stop for stop in stops if not stop.seen] == []
    assert [stop for stop in stops if not stop.name] == []
    reached = {(stop.kind, stop.name) for stop in stops}
    for control in (
        *(("button", name) for name in ("Play (space)", "First step (Home)", "What if?", "As recorded", "Stop")),
        *(("slider", name) for name in ("Entropy bound (nats)", "Tick")),
        ("input", "Denoising step"),
        ("textbox", "Entropy bound (nats), number"),
        ("button", "Jump to the first difference"),
        *(("select", name) for name in ("Kind", "Runs", "Prompt", "Clock", "Steps per second")),
        ("summary", "Keyboard (?)"),
    ):
        assert control in reached
    assert sum(stop.kind == "option" for stop in stops) == 5, "one token of each canvas; arrows go to the others"
    assert any(stop.name.startswith("▲warning") for stop in stops), "findings"


def test_a_slider_says_its_name_and_the_number_that_it_shows(visit):
    page = visit.page
    slider = page.get_by_role("slider", name="Entropy bound (nats)", exact=True)
    slider.focus()
    before = slider.get_attribute("aria-valuetext")
    assert float(before) == 0.1, "not the exponent"
    page.keyboard.press("ArrowRight")
    expect(slider).not_to_have_attribute("aria-valuetext", before)
    page.wait_for_timeout(300)  # until all that follows the slider is there
    number = page.get_by_role("textbox", name="Entropy bound (nats), number")
    expect(number).to_have_text(slider.get_attribute("aria-valuetext"))


def test_a_race_is_played_by_keyboard(visit):
    page = visit.page
    play = page.locator(".widget-play button").first
    play.evaluate(
        "(button) => { window.names = []; new MutationObserver(() => window.names.push(button.ariaLabel))"
        ".observe(button, { attributeFilter: ['aria-label'] }); }"
    )
    page.get_by_role("slider", name="Tick", exact=True).press("Home")
    page.get_by_text("after 0 decoder passes").wait_for()
    page.get_by_role("button", name="Play", exact=True).press("Enter")
    page.get_by_text("after 5 decoder passes").wait_for()
    page.wait_for_function("String(window.names) === 'Pause,Play'")


def test_figures_say_in_words_what_they_show(visit, explorer):
    page = visit.page
    chart = explorer.get_by_role("img", name="Every step, every position.")
    words = chart.get_attribute("aria-label")
    assert " confidence · measured. A map, position (24) by denoising step (6): values from 0" in words
    assert words.endswith("Selected: step 0.")
    curves = explorer.get_by_role("img", name="How the canvas came to rest.").get_attribute("aria-label")
    assert "noise ratio: from 0.958 at 0 to 0 at 5." in curves
    explorer.locator(".dgv-token").first.focus()
    for key in ("ArrowRight", "Enter", "."):
        page.keyboard.press(key)
    explorer.get_by_text("Position 1 at step 1").wait_for()
    selected = explorer.get_by_role("img", name="Selected: step 1, position 1,")
    selected.wait_for()
    value = selected.locator(".js-plotly-plot").evaluate("(plot) => plot.data[0].z[1][1]")
    said = selected.get_attribute("aria-label")
    assert f"position 1, {float(f'{value:.3g}'):g}. The draft there: “" in said
    explorer.get_by_role("table", name="Alternatives").wait_for()
    explorer.get_by_label("Colour").select_option("accepted")
    explorer.get_by_role("img", name="accepted · measured. A map").wait_for()
    assert " re-noised " in explorer.get_by_role("img", name="accepted · measured.").get_attribute("aria-label")


def test_a_finding_opens_its_evidence_by_keyboard(visit, explorer):
    page = visit.page
    findings = explorer.locator(".dgf-finding")
    findings.first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    explorer.locator(".dgf-chosen").get_by_text("Try: ").wait_for()
    expect(findings.nth(1)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press(" ")
    explorer.locator(".dgf-chosen").wait_for(state="detached")
    page.wait_for_function("document.activeElement.className === 'dgf-finding'")


def test_the_list_of_runs_opens_a_run_by_keyboard(visit):
    page = visit.page
    page.get_by_label("Runs", exact=True).press("ArrowDown")
    page.locator(".dgx-texts").get_by_text("sort 53918=").wait_for()


def test_a_screen_reader_is_told_where_steps_come_to_rest_and_of_none_between(visit, explorer):
    page = visit.page
    slider = explorer.get_by_role("slider", name="Denoising step")
    slider.press("End")
    slider.press("Home")
    explorer.get_by_text("Step 0 of 5: ").wait_for()
    spoken = explorer.locator("[aria-live=polite].dgv-aside")
    spoken.evaluate(
        "(node) => { window.told = []; new MutationObserver(() => window.told.push(node.textContent))"
        ".observe(node, { childList: true, characterData: true, subtree: true }); }"
    )
    slider.evaluate(
        "(node) => { for (let n = 0; n < 4; n++)"
        " node.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true })); }"
    )
    page.wait_for_function("window.told.length > 0")
    assert page.evaluate("window.told.length === 1 && window.told[0].startsWith('Step 4 of 5: ')")


def test_the_keys_are_listed_on_demand_and_leave_other_controls_alone(visit, explorer):
    page = visit.page
    keys = explorer.get_by_role("table", name="Keys of the token canvas")
    slider = explorer.get_by_role("slider", name="Denoising step")
    slider.press("Home")
    page.keyboard.press("?")
    keys.wait_for()
    page.keyboard.press("?")
    keys.wait_for(state="hidden")
    step = explorer.locator(".dgv").get_attribute("data-step")
    explorer.locator(".dgv-choice select").nth(1).press("End")
    number = page.get_by_role("textbox", name="Entropy bound (nats), number")
    for key in (".", "ArrowLeft", "?"):
        number.press(key)
    assert explorer.locator(".dgv").get_attribute("data-step") == step
    assert keys.count() == 0
