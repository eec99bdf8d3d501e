"""Runs in the making: their steps reach the viewer as they come, and afterwards it shows the whole run."""

from contextlib import contextmanager
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import RecordingError
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.views.packing import FIELDS, Packing
from dgemma_viz.widgets import cell_output
from dgemma_viz.widgets.cell_output import show_in_cell
from dgemma_viz.widgets.live_run import NOTHING_RAN, WAITING, LiveRun
from dgemma_viz.widgets.viewer import Viewer
from dgemma_viz.widgets.watcher import Watching
from tests.synthetic import synthetic_trace

PER_STEP = (*FIELDS, "active", "finished", "canvas", "step_in_canvas")


def step_records(trace):
    """The steps of a trace as a recorder gives them while the model runs."""
    for step in range(trace.n_steps):
        values = {name: getattr(trace, name)[step] for name in PER_STEP}
        yield SimpleNamespace(**values, token_text=trace.token_text, mask_token_id=trace.facts.mask_token_id)


def drafts(viewer):
    """What a page that opens now shows of the run, ``(T, C)``; all their texts are there."""
    packing = Packing(viewer.packing["positions"], viewer.packing["top_k"])
    found = packing.unpack(viewer.data + viewer.tail)["draft"]
    assert {str(token) for token in found.ravel()} <= {*viewer.texts, *viewer.tail_texts}
    return found


@pytest.fixture
def trace():
    return synthetic_trace(canvases=2, samples=2, length=8, steps=[[17, 3], [4, 0]])


@pytest.fixture
def live():
    """A viewer and its live run, without a pause between messages."""
    viewer = Viewer(views="canvas")
    return viewer, LiveRun(viewer, pause=0)


def test_steps_appear_as_they_come_and_a_page_that_opens_late_has_them_all(trace, live):
    viewer, run = live
    drafted = {canvas: trace.canvas_run(canvas, 0).array("draft") for canvas in range(2)}
    for step in step_records(trace):
        run.add_step(step)
        assert viewer.live
        np.testing.assert_array_equal(drafts(viewer), drafted[step.canvas][: step.step_in_canvas + 1])
        assert viewer.status == f"● denoising canvas {step.canvas} …"


def test_fast_steps_travel_together(trace):
    viewer = Viewer(views="canvas")
    run = LiveRun(viewer, pause=1000)
    for step in list(step_records(trace))[:7]:
        run.add_step(step)
    assert len(drafts(viewer)) == 1, "the first step goes out at once, the others wait"


def test_a_sample_that_has_ended_gets_no_more_steps(trace):
    viewer = Viewer()
    run = LiveRun(viewer, sample=1)
    for step in list(step_records(trace))[:18]:
        run.add_step(step)
    assert len(drafts(viewer)) == 0
    assert viewer.message == "Sample 1 has ended; the others go on."
    run.finish(trace)
    assert viewer.place.items() >= {"sample": 1, "canvas": 1, "step": 0}.items()


def test_afterwards_the_whole_run_is_there_at_its_last_step(trace, live):
    viewer, run = live
    for step in step_records(trace):
        run.add_step(step)
    run.finish(trace)
    assert viewer.trace is trace
    assert not viewer.live
    assert viewer.place.items() >= {"canvas": 1, "sample": 0, "step": 3}.items()
    assert viewer.status == "✓ complete · 21 steps, 2 canvases"
    viewer.go(canvas=0, step=16)


@contextmanager
def raising(kind):
    try:
        yield
    except kind:
        pass
    else:
        pytest.fail(f"{kind.__name__} did not pass through")


class FakeRecording:
    """As much of a recording as the watcher uses."""

    def __init__(self, *traces):
        self.traces, self.left = [*traces], []

    @property
    def trace(self):
        if not self.traces:
            raise RecordingError("nothing was recorded")
        return self.traces[-1]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.left.append(kind)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_an_interrupt_passes_through_and_leaves_the_view_readable(trace, live, kind):
    viewer, run = live
    recording, box = FakeRecording(trace), widgets.VBox()
    with raising(kind), Watching(recording, viewer, run, box) as watching:
        for step in list(step_records(trace))[:3]:
            run.add_step(step)
        raise kind
    assert recording.left == [kind]
    assert box.children == (viewer,)
    assert watching.trace is viewer.trace is trace


def test_a_block_in_which_nothing_ran_says_what_to_do_and_is_no_second_error(bundled):
    box = widgets.VBox()
    with dv.watch(*bundled, container=box) as watching:
        assert watching.view.page["empty"] == WAITING
    assert watching.view.page["empty"] == NOTHING_RAN
    with pytest.raises(RecordingError):
        watching.trace  # noqa: B018


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


def test_watching_shows_the_canvas_alone_which_can_be_unfolded(bundled):
    model, tokenizer = bundled
    talk = [{"role": "user", "content": "sort 53918="}]
    inputs = tokenizer.apply_chat_template(talk, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    box = widgets.VBox()
    with dv.watch(model, tokenizer, container=box) as watching:
        model.generate(**inputs)
    (viewer,) = box.children
    assert viewer is watching.view
    assert viewer.trace is watching.trace
    assert viewer.views == "canvas"
    viewer.views = "all"
    assert viewer.page["heads"]
    assert viewer.diagnosis is not None


def test_the_cell_keeps_a_picture_when_the_run_has_ended(bundled, monkeypatch):
    left = []
    monkeypatch.setattr(cell_output, "publish_display_data", lambda data, *_: left.append(data))
    model, tokenizer = bundled
    with dv.watch(model, tokenizer) as watching:
        show_in_cell(watching.view)
        model.generate(**encode_prompt(tokenizer, "sort 53918="), max_denoising_steps=2)
        assert ["text/html" in data for data in left] == [False]
    assert ["text/html" in data for data in left] == [False, True]
    assert "✓ complete" in left[1]["text/html"]


def test_a_masked_run_is_spoken_of_as_one_from_its_first_step():
    model, tokenizer = dv.load_tiny("masked")
    viewer = Viewer()
    run(model, tokenizer, "sort 27182818=", "llada2", on_step=LiveRun(viewer).add_step)
    assert viewer.words["mask"] == tokenizer.mask_token_id
    assert viewer.words["decisions"]["0"] == "masked"
