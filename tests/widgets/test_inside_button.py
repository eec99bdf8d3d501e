"""The button that looks inside the step that is shown: what was seen is on the page, and in an export of it."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.views.contents import unframe
from tests.browser import open_page

SLOWLY = {"entropy_bound": 0.01, "confidence_threshold": None, "max_denoising_steps": 6}
PAGE = f"""
import dgemma_viz as dv
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
model, tokenizer = dv.load_tiny()
trace = run(model, tokenizer, TASKS["sudoku"].example_prompts[0], "entropy_bound", {SLOWLY})
dv.explore(trace, model=model, tokenizer=tokenizer)
"""


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def trace(bundled):
    return run(*bundled, TASKS["sudoku"].example_prompts[0], "entropy_bound", SLOWLY)


def press(explorer):
    explorer.looking.job.start()
    explorer.looking.job.wait(120)
    return explorer.looking.job.status_line.value


def test_what_was_seen_is_that_of_the_step_and_goes_with_the_page(bundled, trace, tmp_path):
    explorer = dv.explore(trace, model=bundled[0], tokenizer=bundled[1])
    explorer.step = 2
    assert "(identical)" in press(explorer)
    (seen,) = explorer.insides
    assert np.array_equal(seen.draft, trace.canvas_run().array("draft")[2])
    place, _ = unframe(explorer.frame)
    assert place["inside_places"] == [[0, 0, 2]]
    assert "shown already" in press(explorer)
    bare = dv.export_html(trace, tmp_path / "bare.html").stat().st_size
    assert dv.export_html(explorer, tmp_path / "page.html").stat().st_size > bare
    explorer.show(trace)
    assert explorer.insides == []


def test_a_stop_and_a_trace_that_cannot_be_repeated_are_said(bundled, trace):
    explorer = dv.explore(trace, model=bundled[0], tokenizer=bundled[1])
    explorer.step = 5
    job = explorer.looking.job
    job.stop()
    job.run_here()
    assert "Stopped" in job.status_line.value
    assert explorer.insides == []
    explorer.show(replace(trace, generator_state=None))
    assert job.run_button.disabled
    assert "No step can be looked into" in job.status_line.value


@pytest.mark.browser
def test_a_press_shows_the_inside_of_the_step_that_is_looked_at(chromium, serve):
    with serve(PAGE) as url, open_page(chromium, url, height=1600) as visit:
        page = visit.page
        page.locator(".dgv-token").nth(3).click()
        page.get_by_role("slider").press("ArrowRight")
        page.get_by_role("button", name="Inside this step").click()
        page.get_by_role("heading", name="Inside this step: position 3 at step 1").wait_for()
        page.get_by_text("Looked inside canvas 0, step 1").wait_for()
        page.get_by_role("heading", name="Position 3 at step 1", exact=True).wait_for()
        assert page.get_by_role("region", name="Tokens that are read most").locator("tbody tr").count() == 9
        assert visit.console_errors == []
