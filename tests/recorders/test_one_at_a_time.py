"""Nested and concurrent use: refused where runs would mix, kept apart where they need not."""

import threading

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders import record
from tests.recorders.conftest import CANVAS, prompts, small_model
from tests.recorders.replay import assert_consistent


class CallOnce(LogitsProcessor):
    """Calls something in the third step."""

    def __init__(self, action):
        self.action = action
        self.steps = 0

    def __call__(self, _input_ids, scores):
        self.steps += 1
        if self.steps == 3:
            self.action()
        return scores


def test_nested_recording_of_one_model_is_refused(model):
    with record(model) as outer:
        with pytest.raises(RecordingError, match="being recorded already"), record(model):
            pass
        with pytest.raises(RecordingError, match="being recorded already"), outer:
            pass
        model.generate(**prompts(1))
    assert outer.trace.n_steps


def test_recording_from_another_thread_is_refused(model):
    caught = []

    def other():
        try:
            with record(model):
                pass
        except RecordingError as error:
            caught.append(error)

    with record(model):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert len(caught) == 1


def test_two_models_at_once_and_one_model_twice_in_turn(model):
    with record(model) as first, record(small_model(1)) as second:
        model.generate(**prompts(1))
    assert first.trace.n_steps
    assert second.traces == []
    with record(model) as again:
        model.generate(**prompts(1))
    with again:
        model.generate(**prompts(2))
    assert [trace.n_samples for trace in again.traces] == [1, 2]


def test_a_failed_entry_leaves_nothing_behind(model, monkeypatch):
    from dgemma_viz.recorders.diffusion_gemma import DiffusionGemmaRecording

    def install_half(self, hooks):
        hooks.wrap(self._model, "generate", self._around_generate)
        raise KeyboardInterrupt

    monkeypatch.setattr(DiffusionGemmaRecording, "install", install_half)
    with pytest.raises(KeyboardInterrupt), record(model):
        pass
    monkeypatch.undo()
    assert "generate" not in vars(model)
    with record(model):
        pass


def test_generate_inside_generate_gives_two_traces(model):
    inner = []

    def generate_inside():
        inner.append(model.generate(**prompts(1), max_new_tokens=2 * CANVAS))

    with record(model) as recording:
        outer = model.generate(**prompts(2), logits_processor=LogitsProcessorList([CallOnce(generate_inside)]))
    for trace, output in zip(recording.traces, [outer, inner[0]], strict=True):
        assert_consistent(trace)
        assert torch.equal(torch.from_numpy(trace.emitted[-1].copy()), output.sequences[:, -CANVAS:].int())


def test_two_threads_in_one_block_are_kept_apart(model):
    meet = threading.Barrier(2, timeout=60)
    outputs = {}

    def generate(batch):
        wait_for_other = LogitsProcessorList([CallOnce(meet.wait)])
        outputs[batch] = model.generate(**prompts(batch), max_new_tokens=2 * CANVAS, logits_processor=wait_for_other)

    with record(model) as recording:
        threads = [threading.Thread(target=generate, args=(batch,)) for batch in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {trace.n_samples for trace in recording.traces} == {1, 2}
    for trace in recording.traces:
        assert_consistent(trace)
        emitted = torch.from_numpy(trace.emitted.copy()).permute(1, 0, 2).flatten(1)
        assert torch.equal(emitted, outputs[trace.n_samples].sequences[:, 5:].int())


def test_a_run_that_outlives_the_block_is_kept_as_far_as_it_came(model):
    reached, go_on = threading.Event(), threading.Event()

    def pause():
        reached.set()
        assert go_on.wait(60)

    outputs = []

    def generate():
        outputs.append(model.generate(**prompts(1), logits_processor=LogitsProcessorList([CallOnce(pause)])))

    thread = threading.Thread(target=generate)
    with record(model) as recording:
        thread.start()
        assert reached.wait(60)
        with pytest.raises(RecordingError, match="still running"):
            _ = recording.trace
    go_on.set()
    thread.join()
    assert outputs
    assert recording.trace.n_steps == 2
    assert recording.trace.facts.status == "interrupted"
    assert "another thread" in recording.trace.facts.error


def test_a_run_that_began_before_the_block_is_left_alone(model):
    reached, go_on = threading.Event(), threading.Event()

    def pause():
        reached.set()
        assert go_on.wait(60)

    thread = threading.Thread(
        target=lambda: model.generate(**prompts(1), logits_processor=LogitsProcessorList([CallOnce(pause)]))
    )
    thread.start()
    assert reached.wait(60)
    with record(model) as recording:
        go_on.set()
        thread.join()
    assert recording.traces == []
    with pytest.raises(RecordingError, match="nothing was recorded"):
        _ = recording.trace
