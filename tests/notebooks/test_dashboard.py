"""`dgemma-viz serve` as a reader meets it: the published dashboard in a real browser, driven by mouse and keyboard."""

import pytest
from playwright.sync_api import expect

from dgemma_viz.tiny.tasks import TASKS
from tests.accessibility import assert_accessible_in_both_looks
from tests.browser import TEMPLATES, assert_fits, open_page, serve_dashboards

pytestmark = pytest.mark.browser

VERDICT = "by the rules of the task"
LONG_RUN = TASKS["grid"].example_prompts[0]


@pytest.fixture(scope="module")
def address():
    """Address of one dashboard, as `dgemma-viz serve` prints it."""
    with serve_dashboards("01_watch") as (address, _):
        yield address


@pytest.fixture(scope="module")
def visit(chromium, address):
    """The dashboard, open and with its first run shown."""
    with open_page(chromium, address) as visit:
        visit.page.get_by_text(VERDICT).wait_for()
        expect(panel_of(visit.page).locator(".dgv-token")).to_have_count(48)
        yield visit


def panel_of(page):
    return page.locator(".dgv-run-panel")


def canvas_texts(page):
    return panel_of(page).locator(".dgv-token").all_inner_texts()


ENDED = """(stop) => {
  stop.ended = false;
  const see = (changes) => (stop.ended ||= stop.disabled && changes.some(({ oldValue }) => oldValue === null));
  new MutationObserver(see).observe(stop, { attributeFilter: ["disabled"], attributeOldValue: true });
}"""


def run_and_wait(page):
    """Press Run, wait until Stop could be pressed and can no more: before, the panel looks as it does afterwards."""
    stop = page.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_disabled()
    stop.evaluate(ENDED)
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_function("(stop) => stop.ended", arg=stop.element_handle())


def test_the_page_shows_a_run_and_no_code(visit):
    page = visit.page
    assert page.title() == "Watch a canvas denoise"
    expect(page.get_by_role("heading", name="Watch a canvas denoise")).to_be_visible()
    assert page.locator(".jp-CodeCell .jp-InputArea, .jp-InputArea-editor").count() == 0
    assert "import dgemma_viz.widgets" not in page.content()


def test_scrubbing_by_keyboard_repaints_the_canvas(visit):
    page = visit.page
    panel_of(page).locator(".dgv-choice select", has_text="noised canvas").select_option(label="noised canvas")
    step = panel_of(page).locator("[data-step]")
    panel_of(page).get_by_role("slider", name="Denoising step").focus()
    page.keyboard.press("End")
    settled, last = canvas_texts(page), int(step.get_attribute("data-step"))
    assert last > 0
    page.keyboard.press("Home")
    assert step.get_attribute("data-step") == "0"
    assert canvas_texts(page) != settled
    page.keyboard.press("ArrowRight")
    assert step.get_attribute("data-step") == "1"
    page.keyboard.press("End")
    assert step.get_attribute("data-step") == str(last)
    assert canvas_texts(page) == settled


def test_clicking_a_token_shows_it_in_the_inspector_and_scrubbing_changes_it(visit):
    page = visit.page
    panel_of(page).get_by_role("slider", name="Denoising step").focus()
    page.keyboard.press("Home")
    panel_of(page).locator(".dgv-token").nth(3).click()
    inspector = panel_of(page).get_by_role("region", name="Inspector", exact=True)
    inspector.get_by_text("Position 3 at step 0").wait_for()
    before = inspector.inner_text()
    page.keyboard.press("Escape")
    panel_of(page).get_by_role("slider", name="Denoising step").focus()
    page.keyboard.press("ArrowRight")
    inspector.get_by_text("Position 3 at step 1").wait_for()
    assert inspector.inner_text() != before
    panel_of(page).locator(".dgv-token").nth(5).click()
    inspector.get_by_text("Position 5 at step 1").wait_for()


def test_a_new_task_runs(visit):
    page = visit.page
    page.get_by_label("Task").select_option(label=TASKS["sudoku"].title)
    page.get_by_label("Slow motion").uncheck()
    prompt = page.get_by_label("Prompt", exact=True)
    page.wait_for_function("() => document.querySelector('textarea').value.startsWith('sudoku')")
    first = prompt.input_value()
    page.get_by_role("button", name="Another example").click()
    expect(prompt).not_to_have_value(first)
    asked = prompt.input_value()
    run_and_wait(page)
    page.get_by_text(VERDICT).wait_for()
    panel_of(page).locator(".dgx-texts").get_by_text(asked).wait_for()


COUNTED = r"""([after, staysAt]) => {
  const words = document.querySelector(".dgv-run-panel .dgv-count").textContent;
  const [, step, last] = words.match(/step (\d+) of (\d+)/) ?? [];
  return Number(last) > after && step === (staysAt ?? last) && Number(last);
}"""


def steps_come(page, after, stays_at=None):
    """Wait for steps beyond one, of which the canvas shows the newest, or one at which it stays; returns the newest."""
    return page.wait_for_function(COUNTED, arg=[after, stays_at]).json_value()


def test_a_run_in_slow_motion_is_followed_scrubbed_and_stopped_and_so_is_the_next(visit):
    page = visit.page
    page.get_by_label("Prompt", exact=True).fill(LONG_RUN)
    page.get_by_label("Steps", exact=True).fill("200")  # it takes some hundred of them: time to press Stop
    page.get_by_label("Slow motion").check()
    slider = panel_of(page).get_by_role("slider", name="Denoising step")
    for _ in range(2):
        page.get_by_role("button", name="Run", exact=True).click()
        page.get_by_text("denoising canvas 0").wait_for()
        newest = steps_come(page, steps_come(page, 0))  # the first may still be those of the run before
        slider.press("Home")
        steps_come(page, newest, stays_at="0")
        page.get_by_role("button", name="Stop", exact=True).click()
        page.get_by_text("stopped after").wait_for()
        page.get_by_role("heading", name="Prompt").first.wait_for()
    page.get_by_label("Steps", exact=True).fill("48")
    page.get_by_label("Slow motion").uncheck()
    run_and_wait(page)
    page.get_by_text(VERDICT).wait_for()


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("Prompt", "", "The prompt is empty"),
        ("Prompt", "sort ☃<img src=x onerror=alert(1)>", "☃"),
        ("Steps", "0", "Steps: max_denoising_steps of 0 is out of range"),
        ("Steps", "-5", "Steps: max_denoising_steps of -5 is out of range"),
        ("Seed", "-1", "seed of -1 is out of range"),
    ],
)
def test_a_mistake_is_a_message_and_the_page_stays_usable(visit, field, value, message):
    page = visit.page
    control = page.get_by_label(field, exact=True)
    before = control.input_value()
    control.fill(value)
    control.press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("alert").get_by_text(message).wait_for()
    assert page.locator("img[src=x]").count() == 0
    control.fill(before)
    control.press("Tab")
    run_and_wait(page)
    page.get_by_text(VERDICT).wait_for()


def test_axe_finds_nothing_serious(visit):
    assert_accessible_in_both_looks(visit.page)


def test_the_keys_of_the_canvas_are_letters_in_the_prompt(visit):
    page = visit.page
    prompt, step = page.get_by_label("Prompt", exact=True), panel_of(page).locator("[data-step]")
    before, shown = prompt.input_value(), step.get_attribute("data-step")
    prompt.focus()
    page.keyboard.press("End")
    page.keyboard.type(" .?")
    page.keyboard.press("ArrowLeft")
    assert prompt.input_value() == f"{before} .?"
    assert step.get_attribute("data-step") == shown
    assert panel_of(page).get_by_role("button", name="Pause").count() == 0
    prompt.fill(before)


def test_nothing_went_wrong_and_nothing_left_the_machine(visit):
    """Last: what the page did in all the tests above."""
    assert visit.console_errors == []
    assert visit.other_hosts == set()


@pytest.mark.parametrize("width", [380, 1600])
def test_nothing_is_wider_than_the_window(chromium, address, width):
    with open_page(chromium, address, width=width) as visit:
        visit.page.get_by_text(VERDICT).wait_for()
        visit.page.locator(".js-plotly-plot .main-svg").first.wait_for()
        assert_fits(visit.page)


@pytest.mark.parametrize("name", ["01_watch_a_canvas_denoise.ipynb", "..%2F..%2Fpyproject.toml"])
def test_no_file_is_served(chromium, address, name):
    with open_page(chromium, f"{address}voila/files/{name}", wait_for=None) as visit:
        assert visit.page.title().startswith("403")
        assert "Traceback" not in visit.page.content()
        assert visit.other_hosts == set()


def test_our_template_names_no_other_host():
    templates = [path for path in TEMPLATES.rglob("*") if path.is_file()]
    assert len(templates) >= 4
    assert not [path.name for path in templates if "http" in path.read_text(encoding="utf-8")]
