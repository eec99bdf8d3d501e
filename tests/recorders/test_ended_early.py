"""Exceptions, interrupts and failures of the recorder itself: the model is restored, the trace so far is readable."""

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders import RecorderWarning, record
from tests.recorders.conftest import CANVAS, prompts, small_model
from tests.recorders.replay import assert_consistent
from tests.recorders.same_run import assert_same, plain, recorded


class RaiseAt(LogitsProcessor):
    """Raises in the n-th step, after the decoder ran and before the sampler."""

    def __init__(self, step, error):
        self.left = step
        self.error = error

    def __call__(self, _input_ids, scores):
        if self.left == 0:
            raise self.error
        self.left -= 1
        return scores


def run_into(model, error, step, **arguments):
    processors = LogitsProcessorList([RaiseAt(step, error)])
    recording = record(model)
    torch.manual_seed(12)
    with pytest.raises(type(error)) as caught, recording:
        model.generate(**prompts(2), logits_processor=processors, **arguments)
    assert caught.value is error
    return recording


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ValueError("out of luck"), "failed"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(3), "interrupted"),
    ],
    ids=["exception", "interrupt", "exit"],
)
def test_an_error_in_the_fourth_step(model, error, status):
    trace = run_into(model, error, step=3).trace
    assert trace.n_steps == 3
    assert trace.facts.status == status
    assert trace.facts.error.startswith(type(error).__name__)
    assert len(trace.emitted) == 0
    assert trace.prompt.shape == (2, 5)
    assert_consistent(trace)


def test_an_error_in_the_second_canvas_keeps_the_first(model):
    trace = run_into(model, RuntimeError("later"), step=14, max_new_tokens=3 * CANVAS).trace
    assert trace.n_canvases == 2
    assert trace.n_steps == 14
    assert trace.emitted.shape == (1, 2, CANVAS)
    assert_consistent(trace)


def test_an_interrupt_after_the_sampler_drops_the_half_step(model, monkeypatch):
    """The candidate has been seen, the draft not yet: all arrays must still agree."""
    monkeypatch.setattr(
        "transformers.models.diffusion_gemma.generation_diffusion_gemma.StableAndConfidentStoppingCriteria.__call__",
        InterruptAt(2),
    )
    recording = record(model)
    with pytest.raises(KeyboardInterrupt), recording:
        model.generate(**prompts(2))
    assert recording.trace.n_steps == 2
    assert recording.trace.facts.status == "interrupted"


class InterruptAt:
    def __init__(self, step):
        self.left = step

    def __call__(self, argmax_canvas, _logits):
        if self.left == 0:
            raise KeyboardInterrupt
        self.left -= 1
        return torch.zeros(len(argmax_canvas), dtype=torch.bool)


def test_the_sampler_is_restored_after_each_step(model):
    samplers = []
    prepare = model._prepare_sampler
    model._prepare_sampler = lambda config: samplers.append(prepare(config)) or samplers[-1]
    try:
        run_into(model, ValueError("once"), step=2)
    finally:
        del model._prepare_sampler
    assert "accept_canvas" not in vars(samplers[0])


def test_an_error_before_the_first_step_leaves_no_trace(model):
    recording = run_into(model, ValueError("at once"), step=0)
    assert recording.traces == []
    with pytest.raises(RecordingError, match="did not finish a single denoising step: ValueError: at once"):
        _ = recording.trace


def test_upstreams_own_complaints_pass_unchanged(model):
    recording = record(model)
    with pytest.raises(ValueError, match="max_denoising_steps"), recording:
        model.generate(**prompts(1), max_denoising_steps=0)
    with pytest.raises(RecordingError, match="max_denoising_steps"):
        _ = recording.trace


def test_an_error_outside_generate_keeps_finished_runs(model):
    recording = record(model)

    def block():
        with recording:
            model.generate(**prompts(1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        block()
    assert recording.trace.facts.status == "complete"


def test_a_user_s_own_instance_attribute_comes_back():
    model = small_model()
    calls = []
    original = type(model)._finalize_canvas

    def mine(**arguments):
        calls.append(1)
        return original(**arguments)

    model._finalize_canvas = mine
    with record(model) as recording:
        model.generate(**prompts(1))
    assert vars(model)["_finalize_canvas"] is mine
    assert calls
    assert recording.trace.emitted.shape == (1, 1, CANVAS)


@pytest.mark.parametrize("step", [0, 3])
def test_a_failing_recorder_does_not_touch_the_generation(model, monkeypatch, step):
    def generate():
        return model.generate(**prompts(2), max_new_tokens=2 * CANVAS)

    without = plain(generate)
    from dgemma_viz.recorders import step_capture

    reduce_logits, calls = step_capture.reduce_logits, []

    def fail_late(*arguments, **options):
        calls.append(1)
        if len(calls) > step:
            raise MemoryError("no room")
        return reduce_logits(*arguments, **options)

    monkeypatch.setattr(step_capture, "reduce_logits", fail_late)
    with pytest.warns(RecorderWarning, match="MemoryError: no room"):
        *with_it, recording = recorded(model, generate)
    assert_same(without, with_it)
    assert len(calls) == step + 1
    if step:
        assert recording.trace.n_steps == step
        assert recording.trace.facts.status == "failed"
        assert "recording stopped in canvas 0, step 3" in recording.trace.facts.error
    else:
        with pytest.raises(RecordingError, match="MemoryError"):
            _ = recording.trace
