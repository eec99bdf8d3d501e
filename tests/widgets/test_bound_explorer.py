"""The what-if bound: decisions follow the slider, say where they become hypothetical, and need no model."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.acceptance import first_change, redecide
from dgemma_viz.trace.decision import Decision
from dgemma_viz.views.contents import unframe
from dgemma_viz.views.packing import Packing
from dgemma_viz.widgets.bound_explorer import LIMIT, BoundExplorer
from tests.browser import open_page
from tests.synthetic import Sampler, synthetic_trace

IN_A_PAGE = """
from dgemma_viz.widgets.bound_explorer import BoundExplorer
from tests.synthetic import synthetic_trace
BoundExplorer(synthetic_trace(length=30, steps=10))
"""


@pytest.fixture
def trace():
    return synthetic_trace(length=20, steps=8, seed=3)


def shown(view):
    """Which positions are accepted, ``(T, C)``, and the words above the tokens, as the browser gets them."""
    place, records = unframe(view.viewer.frame)
    (run,) = place["runs"]
    packing = Packing(run["packing"]["positions"], run["packing"]["top_k"])
    return packing.unpack(records[slice(*run["data"])])["decision"] == Decision.ACCEPTED, run["message"]


def test_it_opens_as_recorded(trace):
    view = BoundExplorer(trace)
    assert view.bound.value == pytest.approx(0.1)
    assert "as recorded" in view.words.value
    accepted, message = shown(view)
    assert np.array_equal(accepted, trace.accepted[:, 0])
    assert message == ""


def test_the_canvas_and_the_words_follow_the_slider_and_the_place_stays(trace):
    view, run = BoundExplorer(trace), trace.canvas_run()
    view.viewer.step, view.viewer.position = 4, 7
    moved = []
    view.viewer.observe(moved.append, ["step", "position"])
    view.bound.value = 10.0
    accepted, message = shown(view)
    assert np.array_equal(accepted, redecide(run, 10.0))
    assert not np.array_equal(accepted, trace.accepted[:, 0])
    assert "derived" in message
    assert f"step {first_change(run, 10.0)} is the first to change" in view.words.value
    assert LIMIT in view.words.value
    view.reset.click()
    accepted, message = shown(view)
    assert np.array_equal(accepted, trace.accepted[:, 0])
    assert message == ""
    assert (view.viewer.step, view.viewer.position) == (4, 7)
    assert not moved, "charts that follow are not drawn for a place that stays"


def test_one_nat_is_singular(trace):
    view = BoundExplorer(trace)
    view.bound.value = 1.0
    assert "With 1 nat " in view.words.value
    assert "1 nat would decide" in shown(view)[1]


def test_a_click_on_the_curve_pins_the_position(trace):
    view, run = BoundExplorer(trace), trace.canvas_run()
    view.viewer.step = 4
    for rank in (1, 99):
        view.budget.click(rank, 0.0)
        assert view.viewer.position == int(run.array("entropy")[4].argmin())
    view.counts.click(99, 0.0)
    assert view.viewer.step == run.n_steps - 1


def test_a_canvas_without_steps_and_a_run_without_bound():
    ended = BoundExplorer(synthetic_trace(canvases=2, samples=2, steps=[[3, 2], [3, 0]]), 1, 1)
    assert "no denoising steps" in ended.words.value
    ended.bound.value = 1.0
    trace = synthetic_trace(length=8, steps=4)
    unknown = BoundExplorer(replace(trace, entropy_bound=np.full(trace.n_steps, np.nan)))
    unknown.bound.value = 2.0
    assert unknown.bound.value == 2.0


@pytest.mark.parametrize("bound", [0.0, 1e-9, 5000.0])
def test_a_bound_far_off_is_shown_as_recorded(bound):
    trace = synthetic_trace(length=8, steps=4, sampler=Sampler(entropy_bound=bound))
    view = BoundExplorer(trace)
    assert f"{bound:g} nats, as recorded" in view.words.value
    assert np.array_equal(shown(view)[0], trace.accepted[:, 0])
    view.bound.value = 0.5
    assert "as recorded" not in view.words.value
    view.reset.click()
    assert f"{bound:g} nats, as recorded" in view.words.value


@pytest.mark.browser
def test_the_slider_by_keyboard_in_a_page(chromium, serve):
    with serve(IN_A_PAGE) as url, open_page(chromium, url, wait_for=".noUi-handle") as visit:
        page = visit.page
        page.get_by_text("nats, as recorded").wait_for()
        page.locator(".dgv-token").first.wait_for()
        page.locator(".noUi-handle").focus()
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        # The last press has arrived: ipywidgets holds a slider's changes back while the kernel is busy, and a button
        # that is pressed meanwhile overtakes them.
        page.get_by_role("status").get_by_text("With 3.16 nats").wait_for()
        page.get_by_text("is the first to change").wait_for()
        page.get_by_text("derived, not measured").wait_for()
        page.get_by_role("button", name="As recorded").click()
        page.get_by_text("nats, as recorded").wait_for()
        assert visit.console_errors == []
        assert visit.other_hosts == set()
