from contextlib import contextmanager
from types import SimpleNamespace

import ipywidgets as widgets
import numpy as np
import pytest

from dgemma_viz.errors import RecordingError
from dgemma_viz.widgets import watcher
from dgemma_viz.widgets.packing import FIELDS, Packing
from dgemma_viz.widgets.watcher import NOTHING_RAN, WAITING, LiveCanvas, Watching
from tests.synthetic import synthetic_trace

PER_STEP = (*FIELDS, "active", "finished", "canvas", "step_in_canvas")


def step_records(trace):
    """The steps of a trace as a recorder gives them while the model runs."""
    for step in range(trace.n_steps):
        values = {name: getattr(trace, name)[step] for name in PER_STEP}
        mask = trace.facts.mask_token_id
        yield SimpleNamespace(**values, token_text=trace.token_text, mask_token_id=mask)


def drafts(live):
    canvas = live.token_canvas
    packing = Packing(canvas.packing["positions"], canvas.packing["top_k"])
    return packing.unpack(canvas.data + canvas.tail)["draft"]


@pytest.fixture
def trace():
    return synthetic_trace(canvases=2, samples=2, length=8, steps=[[7, 3], [4, 0]])


def test_steps_appear_as_they_come(trace, monkeypatch):
    monkeypatch.setattr(watcher, "_SECONDS_BETWEEN_MESSAGES", 0)
    live = LiveCanvas()
    assert live.token_canvas.message == WAITING
    for done, step in enumerate(step_records(trace)):
        live.add_step(step)
        assert live.token_canvas.live
        assert len(drafts(live)) == (done + 1 if done < 7 else done - 6)


def test_fast_steps_travel_together(trace, monkeypatch):
    monkeypatch.setattr(watcher, "_SECONDS_BETWEEN_MESSAGES", 1000)
    live = LiveCanvas()
    steps = list(step_records(trace))
    for step in steps[:7]:
        live.add_step(step)
    assert len(drafts(live)) == 1, "the first step goes out at once, the others wait"
    live.finish(None)
    assert len(drafts(live)) == 7


def test_a_sample_that_has_ended_gets_no_more_steps(trace, monkeypatch):
    monkeypatch.setattr(watcher, "_SECONDS_BETWEEN_MESSAGES", 0)
    live = LiveCanvas(sample=1)
    steps = list(step_records(trace))
    for step in steps[:7]:
        live.add_step(step)
    assert len(drafts(live)) == 3
    live.add_step(steps[7])
    assert "Sample 1 has ended" in live.token_canvas.message


def test_afterwards_every_canvas_and_sample_can_be_scrubbed(trace):
    live = LiveCanvas()
    for step in step_records(trace):
        live.add_step(step)
    live.finish(trace)
    _, choice, canvas = live.children
    assert not canvas.live
    assert (choice.canvas.value, choice.sample.value) == (1, 0)
    assert (canvas.n_steps, canvas.step) == (4, 3)
    choice.canvas.value = 0
    np.testing.assert_array_equal(drafts(live), trace.canvas_run(0, 0).array("draft"))
    choice.sample.value = 1
    assert canvas.n_steps == 3
    choice.canvas.value = 1
    assert canvas.n_steps == 0
    assert canvas.message
    live.close()
    assert canvas.comm is None


def test_a_block_in_which_nothing_ran_says_what_to_do():
    live = LiveCanvas()
    live.finish(None)
    assert live.token_canvas.message == NOTHING_RAN


class FakeRecording:
    """As much of a recording as the watcher uses."""

    def __init__(self, traces):
        self.traces, self.entered, self.left = traces, 0, []

    @property
    def trace(self):
        if not self.traces:
            raise RecordingError("nothing was recorded")
        return self.traces[-1]

    def __enter__(self):
        self.entered += 1
        return self

    def __exit__(self, kind, error, trace):
        self.left.append(kind)


@contextmanager
def raising(kind):
    try:
        yield
    except kind:
        pass
    else:
        pytest.fail(f"{kind.__name__} did not pass through")


@pytest.mark.parametrize("kind", [KeyboardInterrupt, ValueError])
def test_an_interrupt_passes_through_and_leaves_the_view_readable(trace, kind):
    recording, box = FakeRecording([trace]), widgets.VBox()
    view = LiveCanvas()
    with raising(kind), Watching(recording, view, box) as watching:
        for step in list(step_records(trace))[:3]:
            view.add_step(step)
        raise kind
    assert recording.left == [kind]
    assert box.children == (view,)
    assert watching.trace is trace
    assert not view.token_canvas.live
    assert view.token_canvas.n_steps == 4


def test_nothing_recorded_is_no_second_error():
    view = LiveCanvas()
    with Watching(FakeRecording([]), view, widgets.VBox()) as watching:
        pass
    assert view.token_canvas.message == NOTHING_RAN
    with pytest.raises(RecordingError):
        watching.trace  # noqa: B018


def test_a_masked_run_is_spoken_of_as_one_from_its_first_step():
    import dgemma_viz as dv
    from dgemma_viz.labs.samplers import run_sampler

    live = LiveCanvas()
    model, tokenizer = dv.load_tiny_masked()
    run_sampler(model, tokenizer, "sort 27182818=", "llada2", on_step=live.add_step)
    assert live.token_canvas.words["mask"] == tokenizer.mask_token_id
    assert live.token_canvas.words["decisions"]["0"] == "masked"
