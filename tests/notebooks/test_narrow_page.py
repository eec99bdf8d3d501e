"""On a phone nothing overlaps, nothing is cut, and what scrolls sideways looks like it: in a real page of Voila."""

import itertools

import pytest

from tests.accessibility import switch_theme
from tests.browser import open_page

PHONE = 380
OPTIONS = [
    "Nothing",
    "The surest position, and all further ones as long as the entropies before them are exactly 0",
    "All",
]
CELLS = [
    f"""
from dgemma_viz.widgets.exercises import Exercise, Exercises
Exercises(
    Exercise("With a bound of 0, what does a step accept?", "Nothing", options={OPTIONS}),
    Exercise("How many?", 3, unit="tokens a second"),
)
""",
    """
import pandas as pd
from dgemma_viz.widgets.reading_table import reading_table
reading_table(pd.DataFrame({f"column_{n}": ["some words", True] for n in range(9)}))
""",
    """
from dataclasses import replace
import numpy as np
import dgemma_viz as dv
from dgemma_viz.trace.decision import Phase
from tests.synthetic import synthetic_trace
trace = synthetic_trace(length=9, steps=[[6]])
phase = np.array([Phase.DENOISE, Phase.CORRECT, Phase.DENOISE, Phase.EDIT, Phase.EDIT, Phase.EDIT])
explorer = dv.explore(replace(trace, phase=phase))
explorer
""",
    """
from dataclasses import replace
import dgemma_viz as dv
from dgemma_viz.widgets.as_widget import as_widget
from tests.synthetic import synthetic_trace
trace = synthetic_trace()
as_widget(dv.check_conformance(replace(trace, temperature=trace.temperature + 0.5)))
""",
]


@pytest.fixture(scope="module")
def page(chromium, serve):
    with serve(CELLS) as url, open_page(chromium, url, width=PHONE) as visit:
        visit.page.locator("table.mathjax_ignore").wait_for()
        yield visit.page
        assert not visit.console_errors


@pytest.mark.browser
def test_the_page_does_not_scroll_sideways(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


@pytest.mark.browser
def test_a_long_option_does_not_run_into_the_next(page):
    options = [option.bounding_box() for option in page.locator(".widget-radio-box label").all()]
    assert len(options) == len(OPTIONS)
    for above, below in itertools.pairwise(options):
        assert above["y"] + above["height"] <= below["y"]
    assert options[1]["height"] > options[0]["height"]
    for option in page.locator(".widget-radio-box label").all():
        assert option.evaluate("label => label.scrollHeight <= label.clientHeight + 1")


@pytest.mark.browser
def test_a_very_long_answer_stays_within_the_page(page):
    field = page.get_by_label("Answer (tokens a second)")
    field.fill("9" * 10_000 + "x")
    field.press("Enter")
    page.get_by_role("alert").get_by_text("is not a number").wait_for()
    assert page.get_by_role("alert").bounding_box()["height"] < 200
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_wide_table_scrolls_and_has_a_shadow_where_there_is_more(page, theme):
    switch_theme(page, theme)
    table = page.locator("table.mathjax_ignore").locator("..")
    assert table.evaluate("box => { box.scrollLeft = 60; return box.scrollLeft; }")
    assert table.evaluate("box => getComputedStyle(box).backgroundImage.split('linear-gradient').length") == 1 + 4
    rows = table.locator("table, thead, tr, td").all()
    colours = {row.evaluate("row => getComputedStyle(row).backgroundColor") for row in rows}
    assert all(colour.startswith("rgba(0, 0, 0, 0)") or "/ 0.0" in colour for colour in colours), "would hide it"
    table.evaluate("box => { box.scrollLeft = 0; }")


@pytest.mark.browser
def test_what_is_said_of_a_wide_table_is_no_wider_than_the_page(page):
    report = page.locator(".dgemma-viz-conformance")
    table, said = report.get_by_role("region", name="Findings"), report.locator("p")
    assert table.evaluate("box => box.scrollWidth") > PHONE
    assert said.count() > 1
    assert all(one.evaluate("line => line.scrollWidth") < PHONE for one in said.all())


@pytest.mark.browser
def test_the_subtitle_of_the_curves_is_not_cut(page):
    chart = page.locator(".js-plotly-plot", has_text="How the canvas came to rest")
    box, words = chart.bounding_box(), chart.locator(".gtitle-subtitle").bounding_box()
    assert "editing pass" in chart.locator(".gtitle-subtitle").text_content()
    assert words["x"] + words["width"] <= box["x"] + box["width"]
    title = chart.locator(".annotation", has_text="noise ratio").bounding_box()
    assert words["y"] + words["height"] <= title["y"]


@pytest.mark.browser
def test_a_map_of_few_steps_stands_over_the_curves_on_a_wide_page_too(page):
    page.set_viewport_size({"width": 1440, "height": 900})
    chart = page.locator(".js-plotly-plot", has_text="Every step, every position")
    page.wait_for_function("() => document.querySelector('.js-plotly-plot').getBoundingClientRect().width > 1000")
    below = page.locator(".js-plotly-plot", has_text="How the canvas came to rest").bounding_box()
    assert below["y"] >= chart.bounding_box()["y"] + chart.bounding_box()["height"]
    page.set_viewport_size({"width": PHONE, "height": 900})
