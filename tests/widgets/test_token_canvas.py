import numpy as np
import pytest
import traitlets

from dgemma_viz.widgets.packing import FIELDS, Packing
from dgemma_viz.widgets.token_canvas import QUANTITIES, SCALES, TokenCanvas
from tests.synthetic import NASTY_TEXTS, synthetic_trace


@pytest.fixture
def run():
    return synthetic_trace(length=9, steps=7).canvas_run()


def step_arrays(run, step):
    return {name: run.array(name)[step] for name in FIELDS}


def held(canvas):
    return Packing(canvas.packing["positions"], canvas.packing["top_k"]).unpack(canvas.data + canvas.tail)


def test_a_run_crosses_whole_and_once(run):
    canvas = TokenCanvas.of(run, step=3)
    assert (canvas.step, canvas.position, canvas.n_steps) == (3, -1, 7)
    np.testing.assert_array_equal(held(canvas)["draft"], run.array("draft"))
    assert canvas.tail == b""
    occurring = set(np.unique([run.array(name) for name in ("noised", "candidate", "draft")]).tolist())
    assert occurring | set(np.unique(run.array("top_k_ids")).tolist()) == {int(i) for i in canvas.texts}


def test_step_and_position_stay_where_a_shorter_run_has_them(run):
    canvas = TokenCanvas.of(run, step=6, position=8)
    canvas.show(synthetic_trace(length=4, steps=2).canvas_run())
    assert (canvas.step, canvas.position) == (1, -1)


def test_a_run_without_steps_says_so():
    run = synthetic_trace(samples=2, steps=[[3, 0]]).canvas_run(sample=1)
    canvas = TokenCanvas()
    canvas.show(run, "It had ended.")
    assert (canvas.n_steps, canvas.step, canvas.message) == (0, 0, "It had ended.")


def test_invisible_and_long_texts_are_made_readable():
    run = synthetic_trace(texts=NASTY_TEXTS, length=30, steps=9).canvas_run()
    for text in TokenCanvas.of(run).texts.values():
        assert text
        assert len(text) < 200
        assert not set(text) & set("\n\t\x00\x1b\u202e\u200b")


def test_appended_steps_are_complete_at_every_moment(run):
    canvas = TokenCanvas()
    canvas.begin(run.canvas_length, run.trace.top_k)
    assert canvas.live
    for step in range(run.n_steps):
        canvas.append([step_arrays(run, step)], run.token_text)
        np.testing.assert_array_equal(held(canvas)["noised"], run.array("noised")[: step + 1])
        ids = np.unique(run.array("top_k_ids")[: step + 1])
        assert {str(i) for i in ids} <= {*canvas.texts, *canvas.tail_texts}


def test_appending_does_not_send_everything_each_time():
    run = synthetic_trace(length=48, steps=48).canvas_run()
    canvas = TokenCanvas()
    canvas.begin(run.canvas_length, run.trace.top_k)
    sent = []
    for name in ("data", "tail"):
        canvas.observe(lambda change: sent.append(len(change["new"])), name)
    for step in range(run.n_steps):
        canvas.append([step_arrays(run, step)], run.token_text)
    whole = len(canvas.data) + len(canvas.tail)
    assert sum(sent) < 10 * whole
    assert sum(sent) < whole * run.n_steps / 2 / 2, "at most half of what resending everything would take"


def test_append_before_begin_is_refused(run):
    with pytest.raises(RuntimeError, match="begin"):
        TokenCanvas().append([step_arrays(run, 0)], run.token_text)


@pytest.mark.parametrize("trait", ["quantity", "shows"])
def test_unknown_choices_are_refused(trait):
    with pytest.raises(traitlets.TraitError):
        setattr(TokenCanvas(), trait, "magic")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_quantity_has_a_scale(theme):
    assert set(SCALES[theme]) == set(QUANTITIES)
    for stops in SCALES[theme].values():
        assert len(stops) >= 2
        assert all(len(stop) == 7 and stop[0] == "#" for stop in stops)


def test_marks_of_a_comparison_go_with_the_run(run):
    differing = np.zeros((10, 9), dtype=bool)
    differing[8, 3] = True
    canvas = TokenCanvas()
    canvas.show(run, differing=differing)
    marks = np.frombuffer(canvas.differing, np.uint8).reshape(10, 9)
    np.testing.assert_array_equal(marks, differing)
    canvas.show(run)
    assert canvas.differing == b""
    canvas.show(run, differing=differing)
    canvas.begin(9, 8)
    assert canvas.differing == b""
