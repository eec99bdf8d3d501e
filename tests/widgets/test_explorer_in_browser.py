"""The explorer and the live canvas under Voila in Chromium, as a reader meets them."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser import assert_fits, open_page, serve_notebook

pytestmark = pytest.mark.browser

EXPLORER = """
import time
import dgemma_viz as dv, ipywidgets
from IPython.display import display
from tests.synthetic import NASTY_TEXTS, TEXTS, synthetic_trace
explorer = dv.explore(synthetic_trace(length=48, steps=12, texts=(*TEXTS, *NASTY_TEXTS[2:4])))
busy = ipywidgets.Button(description="Keep the kernel busy")
busy.on_click(lambda _: time.sleep(6))
display(explorer, busy)
"""

LIVE = """
import time
from pathlib import Path
from types import SimpleNamespace
import ipywidgets
from IPython.display import display
from dgemma_viz.widgets.packing import FIELDS
from dgemma_viz.widgets.watcher import LiveCanvas, Watching
from tests.synthetic import synthetic_trace
trace = synthetic_trace(length=24, steps=20)
box, button = ipywidgets.VBox(), ipywidgets.Button(description="Generate")

class Recording:
    traces, trace = [trace], trace
    __enter__ = __exit__ = lambda *_: None

def generate(_):
    view = LiveCanvas()
    with Watching(Recording(), view, box):
        for step in range(trace.n_steps):
            time.sleep(0.15)
            while step == 9 and not Path(HALF_SEEN).exists():  # the page has to show the first half by then
                time.sleep(0.05)
            values = {name: getattr(trace, name)[step] for name in (*FIELDS, "active", "canvas", "step_in_canvas")}
            view.add_step(SimpleNamespace(**values, token_text=trace.token_text, mask_token_id=None))

button.on_click(generate)
display(button, box)
"""


@pytest.fixture(scope="module")
def explorer_url():
    with serve_notebook(EXPLORER) as url:
        yield url


@pytest.fixture(scope="module")
def visit(chromium, explorer_url):
    with open_page(chromium, explorer_url, height=1600) as visit:
        visit.page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
        yield visit


def step_shown(page):
    return page.locator(".dgv").get_attribute("data-step")


def drawing_area(page, name):
    """Box of the first plot of the figure of that name."""
    names = page.evaluate("[...document.querySelectorAll('.js-plotly-plot')].map((p) => p._fullLayout.meta.figure)")
    index = names.index(name)
    area = page.locator(".js-plotly-plot").nth(index).locator(".nsewdrag").first
    area.scroll_into_view_if_needed()
    return area.bounding_box()


def test_clicking_a_token_shows_it_in_the_inspector(visit):
    page = visit.page
    expect(page.get_by_text("Click a token to inspect it")).to_be_visible()
    page.locator(".dgv-token").nth(20).click()
    page.get_by_text("Position 20 at step 0").wait_for()
    page.locator(".js-plotly-plot").nth(3).wait_for()
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Position 20 at step 1").wait_for()


def test_a_token_may_be_let_go_and_chosen_again(visit):
    page = visit.page
    token = page.locator(".dgv-token").nth(20)
    for _ in range(2):
        token.click()
        page.get_by_text("Click a token to inspect it").wait_for()
        page.get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
        token.click()
        page.get_by_text("Position 20 at step").wait_for()
        page.locator(".js-plotly-plot").nth(3).locator(".main-svg").first.wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(300)
    assert visit.console_errors == []


def test_clicking_the_heatmap_moves_the_canvas(visit):
    page = visit.page
    box = drawing_area(page, "heatmap")
    before = step_shown(page), page.locator(".dgv-pinned").get_attribute("data-position")
    page.mouse.click(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.3)
    page.wait_for_function(
        "([step, position]) => document.querySelector('.dgv').dataset.step !== step"
        " && document.querySelector('.dgv-pinned').dataset.position !== position",
        arg=list(before),
    )


def test_clicking_the_curves_moves_the_step(visit):
    page = visit.page
    box = drawing_area(page, "curves")
    before = step_shown(page)
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    page.wait_for_function("(step) => document.querySelector('.dgv').dataset.step !== step", arg=before)


CHART = (
    "const chart = [...document.querySelectorAll('.js-plotly-plot')].find((p) => p._fullLayout.meta.figure === name);"
)
DRAWN = f"(name) => {{ {CHART} chart.drawn = 0; chart.on('plotly_afterplot', () => (chart.drawn += 1)); }}"
MAP = f"""(name) => {{ {CHART}
  const {{ data: [cells], layout }} = chart;
  return {{ z: cells.z, text: cells.text, words: cells.customdata, range: [cells.zmin, cells.zmax],
    colours: cells.colorscale.map(([, colour]) => colour), subtitle: layout.title.subtitle.text }}; }}"""


def test_another_colour_repaints_the_map_alone(visit):
    page = visit.page
    for name in ("heatmap", "curves"):
        page.evaluate(DRAWN, name)
    before = page.evaluate(MAP, "heatmap")
    page.get_by_label("Colour").select_option("commit_step")
    page.wait_for_function(f"() => ({MAP})('heatmap').subtitle === 'colour: commit step · derived'")
    after = page.evaluate(MAP, "heatmap")
    cells = [cell for row in after["z"] for cell in row]
    assert None in cells, "positions whose draft still changes have no commit step yet"
    assert all(cell is None or cell == int(cell) for cell in cells)
    assert after["range"] == [0, 11]
    assert after["colours"] != before["colours"]
    assert after["text"] == before["text"]
    blank = next((row, column) for row, z in enumerate(after["z"]) for column, cell in enumerate(z) if cell is None)
    assert after["words"][blank[0]][blank[1]].startswith("commit step: draft still changes later")
    page.get_by_label("Colour").select_option("confidence")
    page.wait_for_function(f"() => ({MAP})('heatmap').subtitle === 'colour: confidence · measured'")
    back = page.evaluate(MAP, "heatmap")
    assert page.evaluate(f"(name) => {{ {CHART} return chart.drawn; }}", "curves") == 0
    assert (back["z"], back["words"], back["colours"]) == (before["z"], before["words"], before["colours"])


TICKS_AND_MARKS = f"""(name) => {{ {CHART}
  const middle = (node, axis) => {{
    const box = node.getBoundingClientRect();
    return axis === "x" ? box.x + box.width / 2 : box.y + box.height / 2;
  }};
  const ticks = (axis) => Object.fromEntries(
    [...chart.querySelectorAll(`.${{axis}}tick text`)].map((text) => [text.textContent, middle(text, axis)]));
  const marks = Object.fromEntries(chart.layout.shapes.map((shape, n) => {{
    const path = chart.querySelector(`.shapelayer path[data-index="${{n}}"]`);
    return [shape.name, [middle(path, "x"), middle(path, "y")]];
  }}));
  return {{ x: ticks("x"), y: ticks("y"), marks }}; }}"""
AT_TICK = f"""([name, mark, axis, tick]) => {{
  const seen = ({TICKS_AND_MARKS})(name), place = seen.marks[mark]?.[axis === "x" ? 0 : 1];
  return Math.abs(place - seen[axis][tick]) < 1.5; }}"""


def test_marks_stay_with_what_they_mark_after_zoom_and_resize(chromium, explorer_url):
    with open_page(chromium, explorer_url, height=1600) as visit:
        page = visit.page
        page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
        page.locator(".dgv-token").nth(20).click()
        page.get_by_text("Position 20 at step 0").wait_for()
        slider = page.get_by_role("slider")

        def look(step):
            slider.fill(str(step))
            page.get_by_text(f"Position 20 at step {step}").wait_for()
            page.wait_for_timeout(300)  # a resize is seen to in a later frame
            for place in (
                ("heatmap", "selected step", "y", step),
                ("heatmap", "selected position", "x", 20),
                ("curves", "selected step", "x", step),
            ):
                page.wait_for_function(AT_TICK, arg=place)

        look(3)
        for name, range_ in (("heatmap", [15.5, 31.5]), ("curves", [2.5, 8.5])):
            page.evaluate(
                f"([name, range]) => {{ {CHART} Plotly.relayout(chart, {{'xaxis.range': range}}); }}", [name, range_]
            )
        look(5)
        page.set_viewport_size({"width": 900, "height": 1600})
        look(5)
        look(6)
        page.get_by_label("Colour").select_option("entropy")
        look(7)
        assert visit.console_errors == []


def test_scrubbing_does_not_wait_for_a_busy_kernel(visit):
    page = visit.page
    page.get_by_role("button", name="Keep the kernel busy").click()
    slider = page.get_by_role("slider")
    for step in (2, 5, 9):
        before = page.locator(".dgv-token").all_inner_texts()
        slider.fill(str(step))
        assert step_shown(page) == str(step)
        assert page.locator(".dgv-token").all_inner_texts() != before


def test_no_error_no_foreign_request_nothing_executed(visit):
    assert visit.console_errors == []
    assert visit.other_hosts == set()
    assert visit.page.locator(".dgv-tokens script, .dgx-head script").count() == 0


def test_a_narrow_page_does_not_overflow(chromium, explorer_url):
    with open_page(chromium, explorer_url, width=420, height=2400) as visit:
        visit.page.locator(".js-plotly-plot .main-svg").nth(3).wait_for()
        assert_fits(visit.page)
        visit.page.wait_for_function(
            "[...document.querySelectorAll('.js-plotly-plot')].every((p) => p.getBoundingClientRect().right <= 420)"
        )
        assert visit.console_errors == []


LATE = """
from dgemma_viz.widgets.chart import Chart
Chart._esm = "await new Promise((go) => setTimeout(go, 1500));\\n" + Chart._esm
"""


@pytest.mark.parametrize("late", ["", LATE], ids=["at once", "late"])
def test_charts_follow_a_dark_page_however_late_they_load(chromium, late):
    source = f"{late}{EXPLORER}\nexplorer.selection.position = 3\nexplorer.selection.quantity = 'accepted'"
    with serve_notebook(source, theme="dark") as url, open_page(chromium, url, height=1600) as visit:
        visit.page.wait_for_function(
            "(() => { const plots = [...document.querySelectorAll('.js-plotly-plot')];"
            " return plots.length === 4 && plots.every((p) => p._fullLayout?.paper_bgcolor === '#111111'); })()"
        )
        assert visit.console_errors == []


def test_a_running_model_is_watched_and_scrubbed_afterwards(chromium, tmp_path):
    half_seen = tmp_path / "half seen"
    source = f"HALF_SEEN = {str(half_seen)!r}\n{LIVE}"
    with serve_notebook(source, theme="dark") as url, open_page(chromium, url, wait_for="button") as visit:
        page = visit.page
        page.get_by_role("button", name="Generate").click()
        slider = page.get_by_role("slider")
        slider.wait_for()
        expect(slider).to_have_attribute("max", re.compile("^[1-8]$"))  # steps show before the run has ended
        expect(page.get_by_text("denoising canvas 0")).to_be_visible()
        half_seen.touch()
        page.get_by_text("complete").wait_for()
        expect(page.locator(".dgv")).to_have_attribute("data-step", "19")
        expect(slider).to_have_attribute("max", "19")
        expect(page.locator(".dgv-dark")).to_have_count(1)
        page.wait_for_timeout(1000)  # the whole run is shown once more, at its last step
        slider.focus()
        page.keyboard.press("Home")
        assert step_shown(page) == "0"
        assert visit.console_errors == []
        assert visit.other_hosts == set()
