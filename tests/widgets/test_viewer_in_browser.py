"""What Jupyter adds to the page of the viewer: traits both ways, canvases by message, kernels that are slow or fail.

One Voila page serves most tests, each of which goes where it needs to be. What every host does is in ``tests/views``.
"""

import json
import re

import pytest
from playwright.sync_api import expect

from tests.accessibility import switch_theme
from tests.browser import open_page, until
from tests.views.exported import DRAWN, step_of

pytestmark = pytest.mark.browser

PAGE = """
import json, time
import ipywidgets as ipw
import numpy as np
import plotly.graph_objects as go
from IPython.display import display
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.views import explored
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.viewer import Viewer
from tests.synthetic import synthetic_trace

told, asked, heard, clicks = [], [], [], []
curves_of = explored.curves_of
explored.curves_of = lambda run: 1 / 0 if run.canvas == 2 else curves_of(run)

class Noted(Viewer):
    def set_state(self, said):
        told.append(said)
        super().set_state(said)

class Late(Chart):
    _esm = "await new Promise((go) => setTimeout(go, 500));\\n" + Chart._esm

first = synthetic_trace(canvases=5, length=24, steps=[[9], [5], [4], [3], [7]])
other = synthetic_trace(canvases=2, length=12, steps=[[6], [5]], seed=1)
viewer = Noted(first)
viewer.on_msg(lambda _, content, __: asked.append(content["want"]) if "want" in content else None)
chart = Chart(lambda theme: go.Figure(go.Bar(x=["a", "b"], y=[1, 2]), layout={"title": {"text": theme}}),
              lambda x, y: clicks.append([x, y]))
late = Late(lambda theme: go.Figure(go.Scatter(y=np.arange(3)), layout={"title": {"text": f"late {theme}"}}))
late.show(go.Figure(go.Scatter(y=[2, 1]), layout={"title": {"text": "shown meanwhile"}}))
again, said, steps = ipw.Output(), ipw.Label(), ipw.Label()
said.add_class("said")
steps.add_class("steps")

def say():
    state = {name: getattr(viewer, name) for name in ("place", "playing", "finding", "views", "dark")}
    said.value = json.dumps({"n": len(said.value) and json.loads(said.value)["n"] + 1, **state, "told": len(told),
                             "asked": asked, "clicks": clicks, "canvases": viewer.page.get("canvases")})

def follow():
    viewer.observe(lambda change: setattr(steps, "value", steps.value + f" {change['new']}"), "step")

def show_again():
    with again:
        display(viewer)

ACTS = {
    "Say": say, "Follow": follow, "Keep busy": lambda: time.sleep(3), "Show again": show_again,
    "Go": lambda: viewer.go(canvas=1, step=2, position=3, quantity="flips", shows="noised"),
    "Finding": lambda: setattr(viewer, "finding", 0), "Fold": lambda: setattr(viewer, "views", "canvas"),
    "Unfold": lambda: setattr(viewer, "views", "all"), "Rows of five": lambda: setattr(viewer, "row", 5),
    "Any rows": lambda: setattr(viewer, "row", 0), "Play": lambda: setattr(viewer, "playing", True),
    "First trace": lambda: viewer.show(first), "Other trace": lambda: viewer.show(other),
    "Pair": lambda: viewer.show(pair_of(first, other)), "Words": lambda: viewer.clear("Nothing yet."),
    "Close": viewer.close,
}
buttons = []
for name, act in ACTS.items():
    buttons.append(ipw.Button(description=name, layout={"width": "auto"}))
    buttons[-1].on_click(lambda _, act=act: act())
display(viewer, ipw.HBox(buttons, layout={"flex_flow": "row wrap"}), said, steps, chart, late, again)
"""


@pytest.fixture(scope="module")
def visit(chromium, serve):
    with serve(PAGE) as url, open_page(chromium, url, height=1900) as visit:
        visit.page.locator(DRAWN).nth(3).wait_for()
        yield visit


@pytest.fixture
def page(visit):
    """The first trace from its start, as another page: no other canvas of it is there yet."""
    press(visit.page, "First trace")
    canvas(visit.page).locator("option").nth(4).wait_for(state="attached")
    visit.page.get_by_text("step 0 of 8", exact=True).first.wait_for()
    say(visit.page)
    return visit.page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def say(page):
    """What Python knows."""
    before = page.locator(".said").inner_text()
    press(page, "Say")
    expect(page.locator(".said")).not_to_have_text(before)
    return json.loads(page.locator(".said").inner_text())


def canvas(page):
    return page.get_by_label("Canvas", exact=True).first


def test_what_the_reader_does_is_told(page):
    page.locator(".dgv-token").nth(5).click()
    page.get_by_role("slider").first.fill("4")
    page.get_by_label("Colour").select_option("entropy")
    page.locator(".dgv-token").nth(5).press("v")
    state = say(page)
    assert state["place"].items() >= {"canvas": 0, "step": 4, "position": 5, "quantity": "entropy"}.items()
    assert state["views"] == "canvas"
    press(page, "Unfold")
    page.locator(DRAWN).first.wait_for()
    page.locator(".dgf-finding").first.click()
    assert say(page)["finding"] == 0


def test_where_python_goes_the_page_goes(page):
    press(page, "Go")
    page.get_by_role("heading", name="Position 3 at step 2", exact=True).wait_for()
    page.get_by_text("step 2 of 4", exact=True).wait_for()
    expect(canvas(page)).to_have_value("1")
    expect(page.get_by_label("Colour")).to_have_value("flips")
    expect(page.get_by_label("Text")).to_have_value("noised")
    press(page, "Fold")
    expect(page.locator(".dge .dgp-figure").first).to_be_hidden()
    press(page, "Unfold")
    press(page, "Finding")
    expect(page.locator(".dgf-finding").first).to_have_attribute("aria-expanded", "true")
    assert say(page)["finding"] == 0
    press(page, "Play")
    page.get_by_role("button", name="Pause").wait_for()
    page.get_by_role("button", name="Pause").click()
    assert say(page)["playing"] is False


IN_A_ROW = """() => {
  const tokens = [...document.querySelectorAll(".dge .dgv-token")], top = (token) => token.getBoundingClientRect().top;
  return tokens.filter((token) => top(token) === top(tokens[0])).length;
}"""


def test_tokens_stand_in_rows_as_long_as_python_says(page):
    layout = page.get_by_label("Layout").first
    chosen = layout.input_value()
    layout.select_option("grid")
    page.locator(".dgv-grid .dgv-token").first.wait_for()
    before = page.evaluate(IN_A_ROW)
    assert before > 5
    press(page, "Rows of five")
    until(page, f"({IN_A_ROW})() === 5")
    cell = page.locator(".dgv-token").nth(2)
    cell.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".dgv-token").nth(7)).to_be_focused()
    press(page, "Any rows")
    until(page, f"({IN_A_ROW})() === {before}")
    layout.select_option(chosen)


def test_a_canvas_is_asked_for_when_it_is_looked_at_and_then_kept(page):
    before = len(say(page)["asked"])
    for index, last in (("1", 4), ("0", 8), ("1", 4)):
        canvas(page).select_option(index)
        page.get_by_text(f"step 0 of {last}", exact=True).wait_for()
    asked = say(page)["asked"][before:]
    assert [want[1:] for want in asked] == [[1, 0]], "and the one that it began with came along"


def test_a_step_sends_nothing_until_it_rests_and_each_if_python_observes_it(page):
    slider, before = page.get_by_role("slider").first, say(page)["told"]
    slider.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    assert step_of(page) == 8
    page.wait_for_timeout(1000)
    state = say(page)
    assert state["place"]["step"] == 8
    assert state["told"] - before <= 2, "once at rest, and once when the reader turned to the button"
    press(page, "Follow")
    say(page)
    slider.press("Home")
    for step in range(1, 5):
        expect(page.locator(".steps")).to_have_text(re.compile(rf"\b{step - 1}$"))
        page.keyboard.press("ArrowRight")
    expect(page.locator(".steps")).to_have_text("0 1 2 3 4")


def test_the_page_does_not_wait_for_a_busy_kernel_but_for_what_only_that_has(page):
    press(page, "Keep busy")
    slider = page.get_by_role("slider").first
    for step in (2, 5, 8):
        before = page.locator(".dgv-token").all_inner_texts()
        slider.fill(str(step))
        assert step_of(page) == step
        assert page.locator(".dgv-token").all_inner_texts() != before
    canvas(page).select_option("4")
    page.get_by_text("Fetching canvas 4 …").wait_for()
    assert step_of(page) == 8, "what was looked at stays"
    page.get_by_text("step 6 of 6", exact=True).wait_for()  # for who reads on from the last step of a text
    expect(page.get_by_text("Fetching canvas 4 …")).to_be_hidden()


def test_a_canvas_that_cannot_be_made_is_said_and_the_others_can_be_looked_at(page):
    canvas(page).select_option("2")
    page.get_by_text("Canvas 2 cannot be shown: ZeroDivisionError: division by zero").wait_for()
    expect(page.locator(".dge .dgp-figure").first).to_be_hidden()
    expect(page.locator(".dgv-token").first).to_be_hidden()
    canvas(page).select_option("3")
    page.get_by_text("step 0 of 2", exact=True).wait_for()
    expect(page.locator(".dge .dgp-figure").first).to_be_visible()


@pytest.mark.parametrize("asked_for", ["1", "3"], ids=["there", "not there"])
def test_another_trace_is_shown_while_the_page_still_waits_for_a_canvas(page, asked_for):
    press(page, "Keep busy")
    press(page, "Other trace")
    canvas(page).select_option(asked_for)
    page.get_by_text(f"Fetching canvas {asked_for} …").wait_for()
    expect(canvas(page).locator("option")).to_have_count(2)
    page.get_by_text("step 0 of 5", exact=True).wait_for()
    expect(page.locator(".dgv-token")).to_have_count(12)
    expect(canvas(page)).to_have_value("0")
    expect(page.get_by_text("Fetching canvas")).to_be_hidden()
    state = say(page)
    assert (state["canvases"], state["place"]["canvas"]) == (2, 0), "it was chosen in the other trace"
    canvas(page).select_option("1")
    page.get_by_text("step 0 of 4", exact=True).wait_for()
    assert say(page)["place"]["canvas"] == 1


def test_a_pair_and_words_take_the_place_of_a_trace(page):
    press(page, "Pair")
    expect(page.locator(".dgv")).to_have_count(2)
    page.get_by_text("First difference").first.wait_for()
    expect(page.get_by_text("Findings")).to_be_hidden()
    press(page, "Words")
    page.get_by_text("Nothing yet.").wait_for()
    expect(page.locator(".dge .dgp-figure").first).to_be_hidden()


def test_the_same_viewer_may_be_shown_twice_and_later(page):
    page.locator(".dgv-token").nth(2).click()
    page.get_by_role("slider").first.fill("3")
    press(page, "Show again")
    second = page.get_by_role("slider", name="Denoising step").nth(1)
    page.get_by_role("heading", name="Position 2 at step 3", exact=True).nth(1).wait_for()
    second.press("ArrowRight")
    until(page, "String([...document.querySelectorAll('.dgv')].map((node) => node.dataset.step)) === '4,4'")
    canvas(page).select_option("1")
    expect(page.get_by_label("Canvas", exact=True).nth(1)).to_have_value("1")
    expect(page.get_by_text("step 0 of 4", exact=True)).to_have_count(2)


def test_the_charts_of_labs_tell_clicks_and_load_however_late(page):
    bars = page.get_by_role("img", name=re.compile("^light"))
    bars.scroll_into_view_if_needed()
    box = bars.locator(".nsewdrag").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.8)
    assert say(page)["clicks"][-1] == ["b", 2]
    page.get_by_role("img", name="shown meanwhile.").wait_for()
    assert page.locator(".modebar, [data-title*=cloud], a[href*=plotly]").count() == 0, "nothing goes elsewhere"


def test_python_is_told_that_the_page_has_turned_dark_and_all_charts_follow(page):
    papers = (
        "[...document.querySelectorAll('.dge .js-plotly-plot')]"
        ".map((chart) => chart.layout.template.layout.paper_bgcolor)"
    )
    assert say(page)["dark"] is False
    switch_theme(page, "dark")
    page.get_by_role("img", name=re.compile("^dark")).wait_for()
    page.get_by_role("img", name=re.compile("^late dark")).wait_for()
    until(page, f"new Set({papers}).size === 1")
    assert say(page)["dark"] is True
    switch_theme(page, "light")
    page.get_by_role("img", name=re.compile("^light")).wait_for()


def test_a_viewer_that_is_closed_stops_and_leaves_nothing(visit, page):
    press(page, "Play")
    page.get_by_role("button", name="Pause").first.wait_for()
    press(page, "Close")
    expect(page.locator(".dge")).to_have_count(0)
    page.wait_for_timeout(600)
    assert visit.console_errors == []
    assert visit.other_hosts == set()


LIVE = """
import time
from pathlib import Path
from types import SimpleNamespace
import ipywidgets
from IPython.display import display
from dgemma_viz.views.packing import FIELDS
from dgemma_viz.widgets.live_run import LiveRun
from dgemma_viz.widgets.viewer import Viewer
from dgemma_viz.widgets.watcher import Watching
from tests.synthetic import synthetic_trace
trace = synthetic_trace(length=24, steps=20)
box, button = ipywidgets.VBox(), ipywidgets.Button(description="Generate")

class Recording:
    traces, trace = [trace], trace
    __enter__ = __exit__ = lambda *_: None

def generate(_):
    view = Viewer(views="canvas")
    run = LiveRun(view)
    with Watching(Recording(), view, run, box):
        for step in range(trace.n_steps):
            time.sleep(0.1)
            for at, seen in ((9, "half"), (12, "back")):  # until the page has shown what there is
                while step == at and not Path(FOLDER, seen).exists():
                    time.sleep(0.05)
            values = {name: getattr(trace, name)[step] for name in (*FIELDS, "active", "canvas", "step_in_canvas")}
            run.add_step(SimpleNamespace(**values, token_text=trace.token_text, mask_token_id=None))

button.on_click(generate)
display(button, box)
"""


def test_a_running_model_is_watched_and_scrubbed_afterwards(chromium, serve, tmp_path):
    source = f"FOLDER = {str(tmp_path)!r}\n{LIVE}"
    with serve(source, theme="dark") as url, open_page(chromium, url, wait_for="button") as visit:
        page = visit.page
        press(page, "Generate")
        slider = page.get_by_role("slider")
        expect(slider).to_have_attribute("max", "8")  # steps show before the run has ended
        expect(slider).to_have_js_property("value", "8")
        expect(page.get_by_text("denoising canvas 0")).to_be_visible()
        slider.fill("3")
        (tmp_path / "half").touch()
        expect(slider).to_have_attribute("max", "11")
        assert step_of(page) == 3, "who has stepped back is left there"
        page.get_by_role("button", name="Last step").click()
        (tmp_path / "back").touch()
        page.get_by_text("complete ·").wait_for()
        expect(slider).to_have_attribute("max", "19")
        expect(page.locator(".dgv-dark")).to_have_count(1)
        page.get_by_role("button", name="All views").wait_for()  # the whole run, at its last step
        expect(page.locator(".dgv")).to_have_attribute("data-step", "19")
        slider.press("Home")
        assert step_of(page) == 0
        assert visit.console_errors == []
        assert visit.other_hosts == set()
