"""``on_step``: what it is given, and that it cannot break or bend the run."""

import numpy as np
import pytest

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders import RecorderWarning, StepRecord, record
from dgemma_viz.trace.schema import ARRAYS
from tests.recorders.conftest import CANVAS, prompts
from tests.recorders.same_run import assert_same, plain, recorded


def test_steps_equal_the_trace(model, tokenizer):
    steps: list[StepRecord] = []

    def generate():
        return model.generate(**prompts(3), max_new_tokens=2 * CANVAS)

    without = plain(generate)
    *with_it, recording = recorded(model, generate, tokenizer, on_step=steps.append)
    assert_same(without, with_it)
    trace = recording.trace
    assert len(steps) == trace.n_steps
    for name, spec in ARRAYS.items():
        if spec.axes.startswith("S"):
            for index, step in enumerate(steps):
                np.testing.assert_array_equal(
                    np.asarray(getattr(step, name), spec.dtype), getattr(trace, name)[index], name
                )
                if spec.axes != "S":
                    assert getattr(step, name).dtype == spec.dtype, name
    token = int(steps[0].draft[0, 0])
    assert steps[0].token_text(token) == trace.token_text(token)


def test_arrays_cannot_be_changed(model):
    def scribble(step):
        step.draft[:] = 0

    with pytest.warns(RecorderWarning, match="read-only"), record(model, on_step=scribble) as recording:
        model.generate(**prompts(1))
    assert recording.trace.draft.any()


def test_an_exception_is_warned_of_once_and_ends_the_calls(model):
    calls = []

    def fail(step):
        calls.append(step)
        raise ValueError("no screen")

    without = plain(lambda: model.generate(**prompts(1)))
    with pytest.warns(RecorderWarning, match="on_step failed with ValueError: no screen") as caught:
        *with_it, recording = recorded(model, lambda: model.generate(**prompts(1)), on_step=fail)
    assert_same(without, with_it)
    assert len(calls) == 1
    assert [warning.filename for warning in caught] == [__file__]
    assert recording.trace.facts.status == "complete"


def test_an_interrupt_ends_the_run_and_keeps_the_step(model):
    class Stopped(KeyboardInterrupt):
        pass

    def stop(step):
        if step.step_in_canvas == 2:
            raise Stopped

    recording = record(model, on_step=stop)
    with pytest.raises(Stopped), recording:
        model.generate(**prompts(1))
    assert recording.trace.n_steps == 3
    assert recording.trace.facts.status == "interrupted"
    assert recording.trace.facts.error == "Stopped"


def test_the_trace_is_not_ready_yet(model):
    messages = []

    def peek(_step):
        assert recording.traces == []
        try:
            _ = recording.trace
        except RecordingError as error:
            messages.append(str(error))

    with record(model, on_step=peek) as recording:
        model.generate(**prompts(1))
    assert "still running" in messages[0]
    assert recording.trace.n_steps == len(messages)


def test_without_a_tokenizer_ids_stand_for_texts(model):
    steps = []
    with record(model, on_step=steps.append):
        model.generate(**prompts(1))
    assert steps[0].token_text(5) == "⟨5⟩"
