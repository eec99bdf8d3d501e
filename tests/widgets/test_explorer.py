import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import plotly.graph_objects as go
import pytest
from ipywidgets import Widget

import dgemma_viz as dv
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.widgets.explorer import NO_STEPS, Explorer
from dgemma_viz.widgets.inspector import HINT
from dgemma_viz.widgets.token_canvas import QUANTITIES
from tests.synthetic import NASTY_TEXTS, synthetic_trace


@pytest.fixture
def explorer():
    return dv.explore(synthetic_trace(canvases=2, samples=2, length=12, steps=[[10, 6], [4, 0]]))


def numbers(explorer):
    """What the inspector says in words."""
    return explorer.inspector._text.value


def without_steps(**facts):
    trace = synthetic_trace()
    arrays = {name: getattr(trace, name) for name in ARRAYS}
    arrays |= {name: arrays[name][:0] for name, spec in ARRAYS.items() if spec.axes[0] in "SN"}
    return type(trace)(**arrays, facts=replace(trace.facts, **facts), token_texts=trace.token_texts)


def test_the_canvas_moves_the_selection_and_the_selection_the_canvas(explorer):
    explorer.token_canvas.step = 4
    explorer.token_canvas.position = 3
    assert (explorer.selection.step, explorer.selection.position) == (4, 3)
    explorer.selection.step, explorer.selection.position = 7, 5
    assert (explorer.token_canvas.step, explorer.token_canvas.position) == (7, 5)
    explorer.selection.quantity = "entropy"
    assert explorer.token_canvas.quantity == "entropy"


def test_clicking_the_heatmap_moves_step_and_position(explorer):
    explorer._heatmap_clicked(6, 8)
    assert (explorer.token_canvas.step, explorer.token_canvas.position) == (8, 6)
    assert "Position 6 at step 8" in numbers(explorer)


def test_clicking_the_curves_moves_the_step_and_keeps_the_position(explorer):
    explorer.selection.position = 2
    explorer._curves_clicked(5.2, 0.3)
    assert (explorer.token_canvas.step, explorer.token_canvas.position) == (5, 2)


def test_clicks_outside_stay_inside(explorer):
    explorer._heatmap_clicked(99, 99)
    assert (explorer.selection.step, explorer.selection.position) == (9, 11)
    explorer._curves_clicked(-3, 0)
    assert explorer.selection.step == 0


def test_choosing_a_token_changes_the_heatmap_s_crosshair(explorer):
    before = explorer.heatmap.layout.to_plotly_json().get("shapes"), explorer.heatmap.data[0].z.copy()
    explorer.token_canvas.position = 4
    assert explorer.heatmap.layout.to_plotly_json().get("shapes") != before[0]
    np.testing.assert_array_equal(explorer.heatmap.data[0].z, before[1])


def test_another_quantity_changes_the_heatmap_s_values(explorer):
    before = explorer.heatmap.data[0].z.copy()
    explorer.selection.quantity = "entropy"
    assert not np.array_equal(explorer.heatmap.data[0].z, before)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_after_another_quantity_the_heatmap_is_as_if_drawn_with_it(explorer, theme):
    explorer.token_canvas.dark = theme == "dark"
    for quantity in (*QUANTITIES, "confidence"):
        explorer.selection.quantity = quantity
        shown, drawn = explorer.heatmap.to_plotly_json(), explorer._heatmap_figure().to_plotly_json()
        for trace in shown["data"]:
            del trace["uid"]
        assert go.Figure(shown).to_json() == go.Figure(drawn).to_json()


@pytest.mark.parametrize("quantity", ["entropy", "accepted", "commit_step"])
def test_another_quantity_sends_its_numbers_and_little_else(monkeypatch, quantity):
    explorer, sent = dv.explore(synthetic_trace(length=256, steps=48)), []
    monkeypatch.setattr(
        Widget, "_send", lambda widget, message, buffers=None: sent.append((widget, message, buffers or []))
    )
    explorer.token_canvas.set_state({"quantity": quantity})
    assert all(widget is explorer.token_canvas or widget is explorer.heatmap for widget, *_ in sent)
    updates = [m["state"]["_py2js_update"] for _, m, _ in sent if m["state"].get("_py2js_update")]
    assert len(updates) == 1
    assert "text" not in updates[0]["style_data"]
    size = sum(len(json.dumps(message)) + sum(map(len, buffers)) for _, message, buffers in sent)
    assert size < 100_000, "in single precision, the numbers of 48 x 256 cells are 49 kB"


def test_one_click_draws_each_chart_once(explorer, monkeypatch):
    drawn = []
    for view in ("heatmap", "curves"):
        for name in ("show", "mark", "change"):
            call = lambda *_, what=(view, name): drawn.append(what)  # noqa: E731
            monkeypatch.setattr(getattr(explorer, view), name, call)
    explorer._heatmap_clicked(3, 3)
    moved = [("heatmap", "mark"), ("curves", "mark")]
    assert drawn == moved, "another step or position moves the marks and leaves the data alone"
    explorer.selection.quantity = "flips"
    assert drawn[2:] == [("heatmap", "change")], "the curves do not depend on the quantity"
    explorer.token_canvas.dark = True
    assert drawn[3:] == [("heatmap", "show"), ("curves", "show")]


def test_another_canvas_starts_over(explorer):
    explorer.selection.step, explorer.selection.position = 8, 3
    explorer._choice.canvas.value = 1
    assert (explorer.selection.step, explorer.selection.position) == (0, -1)
    assert explorer.token_canvas.n_steps == 4
    assert HINT in numbers(explorer)


def test_another_sample_keeps_what_it_can(explorer):
    explorer.selection.step, explorer.selection.position = 8, 3
    explorer.selection.sample = 1
    assert explorer._choice.sample.value == 1
    assert (explorer.selection.step, explorer.selection.position) == (5, 3)


def test_a_canvas_without_steps_says_so_and_comes_back(explorer):
    explorer.selection.canvas = 1
    explorer.selection.sample = 1
    assert "Sample 1 had ended before canvas 1" in explorer.token_canvas.message
    assert explorer._charts not in explorer.children
    explorer.selection.sample = 0
    assert explorer.token_canvas.message == ""
    assert explorer._charts in explorer.children


def test_selectors_are_shown_only_where_there_is_a_choice(explorer):
    assert len(explorer._choice.children) == 2
    single = dv.explore(synthetic_trace())
    assert single._choice.children == ()
    assert single._choice.layout.display == "none"


def test_a_dark_page_gets_dark_charts(explorer):
    papers = [chart.layout.template.layout.paper_bgcolor for chart in (explorer.heatmap, explorer.curves)]
    explorer.token_canvas.dark = True
    assert explorer.theme == "dark"
    for chart, paper in zip((explorer.heatmap, explorer.curves), papers, strict=True):
        assert chart.layout.template.layout.paper_bgcolor != paper


def test_nothing_is_inspected_until_a_token_is_chosen(explorer):
    assert HINT in numbers(explorer)
    explorer.selection.position = 0
    shown = numbers(explorer)
    for name in ("read (noised)", "candidate", "draft", "confidence", "entropy", "commit step"):
        assert name in shown
    assert shown.count("measured") >= 7
    assert shown.count("derived") >= 3
    explorer.selection.position = -1
    assert HINT in numbers(explorer)


def test_numbers_are_those_of_the_trace(explorer):
    explorer.selection.step, explorer.selection.position = 2, 1
    run = explorer.run
    assert f"{run.array('entropy')[2, 1]:.4g}\u00a0nats" in numbers(explorer)
    assert explorer.trace.token_text(run.array("draft")[2, 1]).strip() in numbers(explorer)


def test_a_trace_without_steps_is_explained():
    explorer = dv.explore(without_steps(status="failed", error="OutOfMemoryError: no <memory>"))
    assert explorer.token_canvas.message == NO_STEPS
    header = explorer.children[0].value
    assert "OutOfMemoryError: no &lt;memory&gt;" in header
    assert "dgx-failed" in header
    assert "Nothing was emitted" in header
    explorer.close()


def test_warnings_and_facts_are_in_the_header():
    trace = synthetic_trace()
    facts = replace(
        trace.facts, warnings=("entropy_bound was <ignored>",), status="interrupted", model_id="<img src=x>"
    )
    arrays = {name: getattr(trace, name) for name in ARRAYS}
    header = dv.explore(type(trace)(**arrays, facts=facts)).children[0].value
    assert "entropy_bound was &lt;ignored&gt;" in header
    assert "<img" not in header
    assert "interrupted" in header
    assert "entropy bound" in header


def test_hostile_texts_are_escaped_everywhere():
    explorer = dv.explore(synthetic_trace(texts=NASTY_TEXTS, length=30, steps=6))
    for position in range(30):
        explorer.selection.position = position
        html = numbers(explorer) + explorer.children[0].value
        for risk in ("<script", "<b>bold", "<a href=x", "\u202e", "\u200b", "\x00"):
            assert risk not in html


def test_a_path_is_opened(tmp_path):
    trace = synthetic_trace()
    trace.save(tmp_path / "run.safetensors")
    assert dv.explore(tmp_path / "run.safetensors").trace.n_steps == trace.n_steps
    assert isinstance(dv.explore(str(tmp_path / "run.safetensors")), Explorer)


@pytest.mark.parametrize("wrong", [None, 3, {"a": 1}, [synthetic_trace()]])
def test_something_else_is_refused_with_a_remedy(wrong):
    with pytest.raises(TraceError, match=r"explore\(\) shows a Trace.*dv.record"):
        dv.explore(wrong)


def test_a_recording_is_refused_with_a_hint():
    class Recording:
        trace = synthetic_trace()

    with pytest.raises(TraceError, match=r"give it its '\.trace'"):
        dv.explore(Recording())


def test_a_missing_file_is_refused():
    with pytest.raises((TraceError, OSError), match="nowhere"):
        dv.explore("nowhere.safetensors")


def test_another_trace_takes_the_place_of_the_first_in_the_same_views(explorer):
    explorer.selection.canvas, explorer.selection.position, explorer.selection.quantity = 1, 4, "entropy"
    canvas, heatmap, curves = explorer.token_canvas, explorer.heatmap, explorer.curves
    other = synthetic_trace(canvases=1, samples=1, length=7, steps=5, seed=3)
    explorer.show(other)
    assert (explorer.token_canvas, explorer.heatmap, explorer.curves) == (canvas, heatmap, curves)
    chosen = explorer.selection
    assert (chosen.canvas, chosen.sample, chosen.step, chosen.position, chosen.quantity) == (0, 0, 0, -1, "entropy")
    assert canvas.packing["positions"] == 7
    assert canvas.n_steps == other.n_steps
    assert heatmap.data[0].z.shape == (other.n_steps, 7)
    assert explorer._choice.children == ()
    assert HINT in numbers(explorer)
    explorer._heatmap_clicked(2, 3)
    assert "Position 2 at step 3" in numbers(explorer)


def test_a_trace_without_steps_and_one_with_them_follow_each_other(explorer):
    full = explorer.trace
    explorer.show(without_steps(status="failed", error="ValueError: boom"))
    assert explorer.token_canvas.message == NO_STEPS
    assert explorer._charts not in explorer.children
    explorer.show(full)
    assert explorer.token_canvas.message == ""
    assert explorer._charts in explorer.children
    assert len(explorer._choice.children) == 2
    empty_first = dv.explore(without_steps())
    empty_first.show(full)
    empty_first.token_canvas.step = 3
    assert empty_first.selection.step == 3


def test_closing_closes_every_view(explorer):
    explorer.selection.position = 1
    views = [explorer, explorer.token_canvas, explorer.heatmap, explorer.curves, *explorer.inspector._open.children]
    explorer.close()
    assert all(view.comm is None for view in views)


@pytest.mark.parametrize(
    "use", ["dv.explore(trace)", "e = dv.explore(trace); e.selection.position = 1", "LiveCanvas()"]
)
def test_an_interpreter_that_ends_says_nothing(use):
    script = (
        "import dgemma_viz as dv\n"
        "from dgemma_viz.widgets.watcher import LiveCanvas\n"
        "from tests.synthetic import synthetic_trace\n"
        f"trace = synthetic_trace(); {use}\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_exploring_imports_neither_torch_nor_transformers():
    script = (
        "import sys, dgemma_viz as dv\n"
        "from tests.synthetic import synthetic_trace\n"
        "explorer = dv.explore(synthetic_trace()); explorer.selection.position = 1\n"
        "import dgemma_viz.widgets.watcher\n"
        "assert not {'torch', 'transformers'} & set(sys.modules), 'heavy import'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
