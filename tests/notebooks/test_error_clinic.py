"""The error clinic as a reader meets it: break a run, open files good and bad, make many runs, click through."""

import pytest
from playwright.sync_api import expect

import dgemma_viz as dv
from dgemma_viz.labs.run import run
from dgemma_viz.serving.notebooks import find_notebook
from dgemma_viz.tiny.tasks import TASKS
from tests.accessibility import assert_accessible, assert_accessible_in_both_looks
from tests.browser import open_page

pytestmark = pytest.mark.browser

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def visit(chromium, serve):
    with (
        serve(find_notebook("error_clinic")) as url,
        open_page(chromium, url) as visit,
    ):
        yield visit


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A trace of a run that used up its steps, and files that are none."""
    folder = tmp_path_factory.mktemp("traces")
    prompt = TASKS["brackets"].example_prompts[0]
    trace = run(*dv.load_tiny(), prompt, parameters={"max_denoising_steps": 3}, seed=0)
    trace.save(folder / "run.safetensors")
    whole = (folder / "run.safetensors").read_bytes()
    (folder / "cut.safetensors").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not a trace")
    with (folder / "huge.safetensors").open("wb") as file:
        file.truncate(65 * MEGABYTE)
    return folder


def go_to(page, way):
    page.get_by_role("button", name=way).click()


def test_it_opens_on_a_run_with_findings(visit):
    visit.page.locator(".heatmaplayer image").first.wait_for(state="attached")
    expect(visit.page.locator(".dgf-finding", has_text="wrong answer").first).to_be_visible()
    expect(visit.page.get_by_text("nothing found")).to_have_count(0)


def test_a_healthy_run_has_no_finding_and_a_broken_one_has(visit):
    page = visit.page
    page.get_by_label("Task").select_option(label=TASKS["sudoku"].title)
    page.get_by_label("Slow motion").uncheck()
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_text("nothing found")).to_be_visible()
    page.get_by_label("Break").select_option(label="Stop rule that is never met")
    page.get_by_text("confidence threshold of 1e-12").wait_for()
    page.get_by_role("button", name="Run", exact=True).click()
    finding = page.locator(".dgf-finding", has_text="step budget exhausted")
    finding.wait_for()
    finding.click()
    page.locator(".dgv[data-step='47']").wait_for()


def test_a_trace_file_is_opened_and_bad_files_are_refused(visit, files):
    page = visit.page
    go_to(page, "Open a trace file")
    upload = page.locator("input[type=file]")
    for name, message in (
        ("notes.txt", "'notes.txt' is truncated"),
        ("cut.safetensors", "'cut.safetensors' is truncated"),
        ("huge.safetensors", "has 65.0 MB: too large"),
    ):
        upload.set_input_files(files / name)
        page.get_by_role("alert").get_by_text(message).wait_for()
    upload.set_input_files(files / "run.safetensors")
    page.get_by_text("run.safetensors: 3 steps over 1 canvas").wait_for()
    page.locator(".dgf-finding", has_text="step budget exhausted").wait_for()
    page.get_by_label("Right answer").fill("Ann has a gold lamp.")
    page.get_by_label("Right answer").press("Tab")
    page.locator(".dgf-finding", has_text="wrong answer").first.wait_for()


def test_axe_finds_nothing_serious_with_a_file_and_its_findings_open(visit):
    assert_accessible_in_both_looks(visit.page)


def test_many_runs_are_sorted_and_opened(visit):
    page = visit.page
    go_to(page, "Make many runs")
    page.get_by_label("Prompts").fill("8")
    page.get_by_label("Prompts").press("Tab")
    page.get_by_role("button", name="Run", exact=True).click()
    page.get_by_text("of 8 answers right, by the rules of the task").wait_for()
    kind, runs = page.get_by_label("Kind"), page.get_by_label("Runs", exact=True)
    if kind.evaluate("(select) => select.selectedIndex"):
        first = runs.locator("option").first.inner_text()
        kind.select_option(index=0)
        expect(runs.locator("option").first).not_to_have_text(first)  # but a run of that kind
    runs.focus()
    page.keyboard.press("End")
    label = runs.locator("option:checked").inner_text().replace("\u00a0", " ").replace("…", "")
    expect(page.locator(".dgx-text", has_text="Output")).to_contain_text(label.split("·")[2].strip())


def test_the_charts_over_many_runs_open_and_fold_by_keyboard(visit):
    head = visit.page.get_by_role("button", name="How errors spread")
    for key, expanded in (("Enter", "true"), (" ", "false"), ("Enter", "true")):
        head.press(key)
        expect(head).to_have_attribute("aria-expanded", expanded)
    visit.page.get_by_role("img", name="Does confidence tell what is right?").wait_for()


def test_axe_finds_nothing_serious_with_many_runs_open(visit):
    assert_accessible(visit.page)


def test_what_was_open_is_still_there_and_nothing_went_wrong(visit):
    page = visit.page
    go_to(page, "Make a run")
    page.locator(".dgf-finding", has_text="step budget exhausted").wait_for()
    assert visit.console_errors == []
    assert visit.other_hosts == set()
