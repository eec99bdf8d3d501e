"""Calls of diffusers' DiffusionGemmaPipeline that end early, and schedulers that cannot be followed."""

import numpy as np
import pytest
import torch
from diffusers import EntropyBoundScheduler

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.tiny import load_tiny
from dgemma_viz.trace import Decision
from dgemma_viz.trace.notice import NoticeCode
from tests.recorders.pipelines import CANVAS, SCHEDULERS, attributes_of, called, pipeline_of


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_run_that_ends_early_keeps_its_steps_and_the_pipeline(tiny, error, scheduler):
    """In the second canvas: the first one was appended by then."""
    pipe = pipeline_of(tiny, scheduler, 2)
    plain, *_ = called(pipe, gen_length=2 * CANVAS, eos_early_stop=False, confidence_threshold=None)
    before = attributes_of(pipe)
    canvases = []

    def fail(_pipe, _step, timestep, _tensors):
        canvases.append(timestep)
        if canvases.count(0) == 2 and timestep == 1:
            raise error("enough")
        return {}

    options = {"gen_length": 2 * CANVAS, "eos_early_stop": False, "confidence_threshold": None}
    with pytest.raises(error), record(pipe) as recording:
        called(pipe, callback_on_step_end=fail, **options)
    assert attributes_of(pipe) == before
    trace = recording.trace
    assert trace.facts.status == ("failed" if error is ValueError else "interrupted")
    assert "enough" in trace.facts.error
    np.testing.assert_array_equal(trace.emitted[0], plain[:, :CANVAS])
    assert len(trace.emitted) == 1
    assert trace.canvas[-1] == 1


def test_an_error_inside_the_scheduler(tiny):
    """A step that does not complete leaves no trace."""
    pipe, calls = pipeline_of(tiny, "DDIM with corrector"), []
    called(pipe)
    before, sweep = attributes_of(pipe), pipe.scheduler.step_correct

    def fail(**given):
        calls.append(1)
        if len(calls) == 3:
            raise MemoryError("no memory left")
        return sweep(**given)

    pipe.scheduler.step_correct = fail
    with pytest.raises(MemoryError), record(pipe) as recording:
        called(pipe, confidence_threshold=None)
    assert pipe.scheduler.__dict__.pop("step_correct") is fail
    assert attributes_of(pipe) == before
    assert recording.trace.phase.tolist() == [0, 1, 1, 0]


def test_a_call_that_fails_before_its_first_step(tiny):
    pipe = pipeline_of(tiny, "DDIM")
    with record(pipe) as recording, pytest.raises(ValueError, match="output_type"):
        called(pipe, output_type="picture")
    with pytest.raises(RecordingError, match="single denoising step: ValueError: `output_type`"):
        _ = recording.trace


def test_on_step_sees_each_step_and_may_end_the_run(tiny):
    pipe, seen = pipeline_of(tiny, "DDIM with corrector"), []
    called(pipe)
    before = attributes_of(pipe)

    def watch(step):
        seen.append((step.canvas, step.step_in_canvas, step.phase, int((step.decision == Decision.CORRECTED).sum())))
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), record(pipe, on_step=watch) as recording:
        called(pipe, confidence_threshold=None)
    assert seen == [(0, 0, 0, 0), (0, 1, 1, 5), (0, 2, 1, 5)]
    assert recording.trace.n_steps == 3
    assert recording.trace.facts.status == "interrupted"
    assert attributes_of(pipe) == before


def test_a_failing_on_step_is_not_called_again(tiny):
    pipe, seen = pipeline_of(tiny, "block refinement"), []
    plain, *_ = called(pipe)

    def fail(step):
        seen.append(step)
        raise ValueError("mine")

    with pytest.warns(RecorderWarning, match="on_step failed with ValueError: mine"), record(pipe, on_step=fail):
        sequences, *_ = called(pipe)
    assert len(seen) == 1
    assert torch.equal(plain, sequences)


class OwnScheduler:
    """Does what another one does, under a name that nobody knows."""

    def __init__(self, inner):
        self.inner, self.config = inner, inner.config

    def set_timesteps(self, num_inference_steps, device=None):
        self.inner.set_timesteps(num_inference_steps, device)

    def step(self, model_output, timestep, sample, *, temperature=0.0, generator=None, return_dict=True):
        return self.inner.step(
            model_output, timestep, sample, temperature=temperature, generator=generator, return_dict=return_dict
        )


def test_an_unknown_scheduler_is_warned_of_and_the_call_goes_on(tiny):
    pipe = pipeline_of(tiny, "DDIM")
    plain, *_ = called(pipe)
    pipe.scheduler = OwnScheduler(pipe.scheduler)
    with (
        pytest.warns(RecorderWarning, match="scheduler OwnScheduler is not known") as warned,
        record(pipe) as recording,
    ):
        sequences, *_ = called(pipe)
    assert warned[0].filename.endswith("pipelines.py"), "the warning does not point at the user's own line"
    assert torch.equal(plain, sequences)
    with pytest.raises(RecordingError, match="did not finish a single denoising step"):
        _ = recording.trace


class Secretive(EntropyBoundScheduler):
    """From the third step on it does not say what it accepted."""

    def step(self, model_output, timestep, sample, **options):
        output = super().step(model_output, timestep, sample, **options)
        if timestep >= 2:
            output.accepted_index = None
        return output


def test_an_output_that_lacks_something_ends_the_recording_and_not_the_call(tiny):
    pipe = pipeline_of(tiny, "entropy bound")
    pipe.scheduler = Secretive()
    plain, *_ = called(pipe, confidence_threshold=None)
    with pytest.warns(RecorderWarning) as warned, record(pipe) as recording:
        sequences, *_ = called(pipe, confidence_threshold=None)
    assert torch.equal(plain, sequences)
    own, stopped = (str(warning.message) for warning in warned)
    assert "Secretive decides in a step of its own" in own
    assert "recording stopped in canvas 0, step 2" in stopped
    codes = [notice.code for notice in recording.trace.facts.notices]
    assert codes == [NoticeCode.SCHEDULER_STEP_OVERRIDDEN, NoticeCode.RECORDING_STOPPED]
    assert recording.trace.n_steps == 2
    assert recording.trace.facts.status == "failed"
