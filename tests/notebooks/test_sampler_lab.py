"""The sampler lab as a reader meets it: run, change the sampler, see two runs side by side, choose, cancel, mistake."""

import re

import pytest
from playwright.sync_api import expect

from dgemma_viz.serving.notebooks import find_notebook
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import load_trace
from tests.accessibility import assert_accessible_in_both_looks
from tests.browser import assert_fits, open_page

pytestmark = pytest.mark.browser

VERDICT = "by the rules of the task"
LONG_RUN = TASKS["gifts"].example_prompts[0]


@pytest.fixture(scope="module")
def url(serve):
    with serve(find_notebook("sampler_lab")) as url:
        yield url


@pytest.fixture(scope="module")
def visit(chromium, url):
    with open_page(chromium, url, width=1400, wait_for=".dgh tbody tr") as visit:
        visit.page.get_by_text(VERDICT).wait_for()
        yield visit


def set_number(page, label, value):
    box = page.get_by_label(label, exact=True)
    box.fill(value)
    box.press("Tab")


def run(page):
    """Press Run; wait until the table has the run and the page is idle."""
    newest = page.locator(".dgh tbody tr").first
    before = int(newest.get_attribute("data-run")) if newest.count() else 0
    page.get_by_role("button", name="Run", exact=True).click()
    row(page, before + 1).wait_for()
    idle(page)
    return before + 1


def idle(page):
    page.wait_for_function(
        "() => [...document.querySelectorAll('button')].some((b) => b.textContent.trim() === 'Cancel' && b.disabled)"
    )


def row(page, number):
    return page.locator(f".dgh tr[data-run='{number}']")


def facts(page, number):
    """Cells of a run in the table, by column."""
    return {
        name: row(page, number).locator(f".dgh-{name}").inner_text()
        for name in ("sampler", "changed", "seed", "verdict", "steps", "where")
    }


def test_the_page_opens_with_one_run_explored(visit):
    page = visit.page
    assert page.title() == "Sampler lab"
    expect(page.locator(".dgx-title", has_text="complete")).to_be_visible()
    assert facts(page, 1)["changed"] == "–"
    expect(page.get_by_role("button", name="Defaults")).to_be_disabled()
    assert page.get_by_role("button", name="Jump to the first difference").count() == 0


def test_every_control_has_a_name_for_a_screen_reader(visit):
    page = visit.page
    lab = page.locator(".dgv-sampler-lab")
    for role in ("slider", "spinbutton", "combobox", "textbox", "checkbox", "radio", "button", "progressbar"):
        for control in lab.get_by_role(role, include_hidden=False).all():
            name = re.search(r'"([^"]+)"', control.aria_snapshot())
            assert name, f"a {role} without a name: {control.evaluate('(node) => node.outerHTML.slice(0, 200)')}"


def test_another_bound_is_marked_and_the_second_run_stands_beside_the_first(visit):
    page = visit.page
    set_number(page, "Entropy bound", "5")
    page.get_by_text("1 differs from the defaults").wait_for()
    expect(page.locator(".dgs-differs")).to_have_attribute("data-name", "entropy_bound")
    number = run(page)
    page.locator(".dgc-first", has_text="First difference").wait_for()
    assert facts(page, number)["changed"] == "Entropy bound 5"
    where = facts(page, number)["where"]
    assert re.match(r"canvas 0, step \d+\s+against run 1", where), where
    place = where.split("\n")[0].strip()
    expect(page.locator(".dgc-first")).to_contain_text(place)
    page.get_by_role("button", name="Jump to the first difference").click()
    step = re.search(r"step (\d+)", place)[1]
    page.wait_for_function(
        "(step) => [...document.querySelectorAll('[aria-label^=\"Token canvas of run\"]')]"
        ".every((node) => node.dataset.step === step)",
        arg=step,
    )


def test_a_slider_by_keyboard_moves_its_number(visit):
    page = visit.page
    slider = page.get_by_label("Steps, slider", exact=True)
    slider.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_label("Steps", exact=True)).to_have_value("2")
    assert facts(page, run(page))["steps"] == "2"


def test_an_optional_parameter_is_switched_off_and_on(visit):
    page = visit.page
    box = page.get_by_label("Confident below", exact=True)
    page.get_by_label("Confident below, on").uncheck()
    expect(box).to_be_disabled()
    expect(box).to_have_value("")
    page.get_by_label("Confident below, on").check()
    expect(box).to_have_value("0.005")


def test_defaults_put_everything_back(visit):
    page = visit.page
    page.get_by_role("button", name="Defaults").click()
    page.get_by_text("all at their defaults").wait_for()
    expect(page.locator(".dgs-differs")).to_have_count(0)
    expect(page.get_by_label("Entropy bound", exact=True)).to_have_value("0.1")


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("Steps", "0", "Steps: max_denoising_steps of 0 is out of range"),
        ("First temperature", "0.3", "First temperature: t_max of 0.3 must be above t_min of 0.4"),
        ("Seed", "-1", "seed of -1 is out of range"),
        ("Prompt", "", "prompt is empty"),
        ("Prompt", "sort ☃<img src=x onerror=alert(1)>", "☃"),
        ("Prompt", "sudoku " + "x" * 1900, "does not know"),
    ],
)
def test_a_mistake_is_a_message_and_the_page_stays_usable(visit, label, value, message):
    page = visit.page
    control = page.get_by_label(label, exact=True)
    before, rows = control.input_value(), page.locator(".dgh tbody tr").count()
    set_number(page, label, value)
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_role("alert").get_by_text(message).wait_for()
    assert page.locator(".dgh tbody tr").count() == rows
    assert page.locator("img[src=x]").count() == 0
    assert_fits(page)
    set_number(page, label, before)
    run(page)
    page.get_by_text(VERDICT).wait_for()


def test_another_sampler_has_its_own_parameters_and_is_compared(visit):
    page = visit.page
    page.get_by_label("Sampler", exact=True).select_option(value="block_refinement")
    page.get_by_label("Editing threshold, on").wait_for()
    expect(page.get_by_label("Entropy bound", exact=True)).to_have_count(0)
    number = run(page)
    assert "Block refinement" in facts(page, number)["sampler"]
    page.locator(".dgc-first", has_text="First difference").wait_for()
    page.get_by_label("Sampler", exact=True).select_option(value="entropy_bound")
    page.get_by_label("Entropy bound", exact=True).wait_for()


def test_any_two_runs_are_chosen_and_one_is_explored(visit):
    page = visit.page
    page.get_by_label("Run 1 as A", exact=True).check()
    page.get_by_label("Run 2 as B").check()
    page.locator(".dgc h3", has_text="Run B").get_by_text("entropy bound 5").wait_for()
    for number in (1, 2):
        expect(row(page, number)).to_have_class("dgh-chosen")
    page.get_by_label("Run 1 as B", exact=True).check()
    page.locator(".dgc h3", has_text="Run A").get_by_text("entropy bound 5").wait_for()
    explore = page.get_by_role("button", name="Explore run 2", exact=True)
    explore.focus()
    page.keyboard.press("Enter")
    page.locator(".dgx-facts li", has_text=re.compile(r"entropy bound.* 5(\.0)? nats")).wait_for()
    expect(explore).to_have_attribute("aria-pressed", "true")
    # Its charts have the width of their place.
    page.wait_for_function(
        "() => [...document.querySelectorAll('.js-plotly-plot')].filter((node) => node.offsetParent)"
        ".every((node) => node.querySelector('.main-svg').clientWidth <= node.clientWidth + 1)"
    )
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Jump to the first difference").wait_for()


def test_all_are_held_against_the_base(visit):
    page = visit.page
    page.get_by_role("button", name="Hold all others against run 1", exact=True).click()
    page.get_by_text("from run 1, the base").wait_for()
    row(page, 3).locator(".dgh-where", has_text="against run 1").wait_for()
    row(page, 1).locator(".dgh-where", has_text="base").wait_for()
    number = run(page)
    expect(page.get_by_label("Run 1 as A", exact=True)).to_be_checked()
    expect(page.get_by_label(f"Run {number} as B")).to_be_checked()


def test_a_run_is_saved_and_one_removed(visit, tmp_path):
    page = visit.page
    with page.expect_download() as download:
        page.get_by_role("button", name="Save run 2", exact=True).click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == "run-2-entropy_bound-seed-0.safetensors"
    assert load_trace(path).facts.task.parameters["entropy_bound"] == 5.0
    page.get_by_role("button", name="Remove run 2", exact=True).click()
    page.get_by_text("Run 2 was removed.").wait_for()
    expect(row(page, 2)).to_have_count(0)


def test_a_long_run_is_seen_live_and_cancelled(visit):
    page = visit.page
    page.get_by_label("Prompt", exact=True).fill(LONG_RUN)
    page.get_by_label("Slow motion").check()
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("denoising canvas 0").wait_for()
    page.get_by_role("progressbar").wait_for()
    page.wait_for_function("document.querySelector('progress').value >= 2")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("stopped after").wait_for()
    idle(page)
    expect(page.locator(".dgh tbody tr").first.locator(".dgh-verdict")).to_have_text("‖ cancelled")
    page.get_by_text("denoising canvas 0").wait_for(state="hidden")
    page.get_by_label("Slow motion").uncheck()
    run(page)
    page.get_by_text(VERDICT).wait_for()


def test_every_change_runs(visit):
    page = visit.page
    page.get_by_label("Run on every change").check()
    before = int(page.locator(".dgh tbody tr").first.get_attribute("data-run"))
    set_number(page, "Steps", "3")
    row(page, before + 1).wait_for()
    assert facts(page, before + 1)["changed"] == "Steps 3"
    idle(page)
    page.get_by_role("button", name="Another seed").click()
    row(page, before + 2).wait_for()
    expect(page.get_by_label("Seed")).to_have_value(facts(page, before + 2)["seed"])
    page.get_by_label("Run on every change").uncheck()
    idle(page)


def test_nothing_went_wrong_and_nothing_left_the_machine(visit):
    """Last: what the page did in all the tests above."""
    assert visit.console_errors == []
    assert visit.other_hosts == set()


@pytest.mark.parametrize("width", [380, 1600])
def test_nothing_is_wider_than_the_window(chromium, url, width):
    with open_page(chromium, url, width=width, wait_for=".dgh tbody tr") as visit:
        page = visit.page
        page.get_by_text(VERDICT).wait_for()
        set_number(page, "Entropy bound", "5")
        run(page)
        page.locator(".dgc-first").wait_for()
        page.locator(".js-plotly-plot:visible .main-svg").first.wait_for()
        for within in ("document.documentElement", "document.querySelector('.dgh-box')"):
            assert_fits(page, within)
        assert visit.console_errors == []


def test_axe_finds_nothing_serious(visit):
    assert_accessible_in_both_looks(visit.page)
