"""The what-if bound: decisions follow the slider, say where they become hypothetical, and need no model."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.acceptance import first_change, redecide
from dgemma_viz.widgets.bound_explorer import LIMIT, BoundExplorer
from tests.browser import open_page, serve_notebook
from tests.synthetic import Sampler, synthetic_trace

IN_A_PAGE = """
from dgemma_viz.widgets.bound_explorer import BoundExplorer
from tests.synthetic import synthetic_trace
BoundExplorer(synthetic_trace(length=30, steps=10))
"""


@pytest.fixture
def trace():
    return synthetic_trace(length=20, steps=8, seed=3)


def test_it_opens_as_recorded(trace):
    view = BoundExplorer(trace)
    assert view.bound.value == pytest.approx(0.1)
    assert "as recorded" in view._words.value
    assert view.token_canvas.message == ""


def test_the_canvas_and_the_words_follow_the_slider(trace):
    view, run = BoundExplorer(trace), trace.canvas_run()
    before = view.token_canvas.data
    view.bound.value = 10.0
    assert view.token_canvas.data != before
    decided = replace(trace, accepted=redecide(run, 10.0)[:, None], decision=None)
    assert view.token_canvas.data == type(view.token_canvas).of(decided.canvas_run()).data
    assert f"step {first_change(run, 10.0)} is the first to change" in view._words.value
    assert LIMIT in view._words.value
    assert "derived" in view.token_canvas.message
    view._reset.click()
    assert view.token_canvas.data == before
    assert view.token_canvas.message == ""


def test_one_nat_is_singular(trace):
    view = BoundExplorer(trace)
    view.bound.value = 1.0
    assert "With 1 nat " in view._words.value
    assert "1 nat would decide" in view.token_canvas.message


def test_a_click_on_the_curve_pins_the_position(trace):
    view, run = BoundExplorer(trace), trace.canvas_run()
    view.token_canvas.step = 4
    view._clicked(1, 0.0)
    assert view.token_canvas.position == int(run.array("entropy")[4].argmin())
    view._clicked(99, 0.0)
    assert view.token_canvas.position == int(run.array("entropy")[4].argmin())
    view._step_clicked(99, 0.0)
    assert view.token_canvas.step == run.n_steps - 1


def test_a_canvas_without_steps_and_a_run_without_bound():
    ended = BoundExplorer(synthetic_trace(canvases=2, samples=2, steps=[[3, 2], [3, 0]]), 1, 1)
    assert "no denoising steps" in ended._words.value
    ended.bound.value = 1.0
    trace = synthetic_trace(length=8, steps=4)
    unknown = BoundExplorer(replace(trace, entropy_bound=np.full(trace.n_steps, np.nan)))
    unknown.bound.value = 2.0
    assert unknown.bound.value == 2.0


@pytest.mark.parametrize("bound", [0.0, 1e-9, 5000.0])
def test_a_bound_far_off_is_shown_as_recorded(bound):
    trace = synthetic_trace(length=8, steps=4, sampler=Sampler(entropy_bound=bound))
    view = BoundExplorer(trace)
    assert f"{bound:g} nats, as recorded" in view._words.value
    assert view.token_canvas.data == type(view.token_canvas).of(trace.canvas_run()).data
    view.bound.value = 0.5
    assert "as recorded" not in view._words.value
    view._reset.click()
    assert f"{bound:g} nats, as recorded" in view._words.value


@pytest.mark.browser
def test_the_slider_by_keyboard_in_a_page(chromium):
    with serve_notebook(IN_A_PAGE) as url, open_page(chromium, url, wait_for=".noUi-handle") as visit:
        page = visit.page
        page.get_by_text("nats, as recorded").wait_for()
        page.locator(".dgv-token").first.wait_for()
        page.locator(".noUi-handle").focus()
        for _ in range(30):
            page.keyboard.press("ArrowRight")
        page.get_by_text("is the first to change").wait_for()
        page.get_by_text("derived, not measured").wait_for()
        page.get_by_role("button", name="As recorded").click()
        page.get_by_text("nats, as recorded").wait_for()
        assert visit.console_errors == []
        assert visit.other_hosts == set()
