"""Where runs part: real pairs of runs of the bundled model that differ in one thing, and edited traces for the rest."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.divergence import Cause, divergence
from dgemma_viz.labs.run import run
from tests.cut_traces import without
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace

SUDOKU = "sudoku __3_/31__/43__/_2_3="


@pytest.fixture(scope="module")
def base():
    return run(*dv.load_tiny(), SUDOKU, seed=0)


def other(prompt=SUDOKU, seed=0, **parameters):
    return run(*dv.load_tiny(), prompt, parameters=parameters, seed=seed)


def test_the_same_run_again_is_the_same(base):
    assert divergence(base, other()) is None


def test_another_seed_begins_from_another_canvas(base):
    first = divergence(base, other(seed=1))
    assert (first.canvas, first.step, first.cause) == (0, 0, Cause.READ)
    assert "their seeds are 0 and 1" in first.what


def test_another_entropy_bound_decides_otherwise_from_the_same_candidates(base):
    first = divergence(base, other(entropy_bound=20.0))
    assert (first.step, first.cause) == (0, Cause.DECISION)
    assert set(first.positions) == set(np.flatnonzero(~base.accepted[0, 0]))
    assert "entropy bound 0.1 nats in A, 20 in B" in first.what


def test_another_number_of_steps_shifts_the_temperature(base):
    first = divergence(base, other(max_denoising_steps=6))
    assert first.cause is Cause.DISTRIBUTION
    temperatures = base.temperature[first.step], other(max_denoising_steps=6).temperature[first.step]
    assert f"temperature is {temperatures[0]:.4g} in A and {temperatures[1]:.4g} in B" in first.what


def test_another_prompt_of_one_seed_is_named(base):
    first = divergence(base, other("sudoku 32__/14_3/41__/___1="))
    assert first.cause is Cause.DISTRIBUTION
    assert first.what.endswith("the prompts differ.")


def test_a_run_that_was_cut_off_stopped_first(base):
    def stop(step):
        if step.step_in_canvas == 1:
            raise KeyboardInterrupt

    cut = run(*dv.load_tiny(), SUDOKU, seed=0, on_step=stop)
    first = divergence(base, cut)
    assert (first.cause, first.step, first.positions) == (Cause.STOP, cut.n_steps - 1, ())
    assert "B was cut off (interrupted), and A went on" in first.what


def edited(trace, step, **changes):
    """The trace with another value at position 1 of one step."""
    arrays = {name: np.array(getattr(trace, name)) for name in changes}
    for name, change in changes.items():
        arrays[name][step, 0, 1] = change(arrays[name][step, 0, 1])
    return replace(trace, **arrays, decision=None)


def another_token(token):
    return (token + 1) % 40


def test_of_one_step_the_earliest_cause_counts_and_of_the_run_the_earliest_step():
    trace = synthetic_trace(length=6, steps=5)
    drawn = edited(trace, 3, candidate=another_token, accepted=np.logical_not)
    first = divergence(trace, drawn)
    assert (first.step, first.cause, first.positions) == (3, Cause.CANDIDATE, (1,))
    assert first.what.endswith("at position 1: other random numbers.")
    read = edited(drawn, 3, noised=another_token)
    assert divergence(trace, read).cause is Cause.READ
    earlier = edited(read, 1, entropy=lambda value: value + 1)
    first = divergence(trace, earlier)
    assert (first.step, first.cause) == (1, Cause.DISTRIBUTION)
    assert "by up to 1 nats of entropy (position 1)" in first.what
    assert "weights, precision, cache or self-conditioning" in first.what


def test_a_distribution_that_is_not_a_number_differs_from_one_that_is():
    trace = synthetic_trace(length=6, steps=5)
    first = divergence(trace, edited(trace, 2, entropy=lambda _: np.nan))
    assert (first.step, first.cause, first.positions) == (2, Cause.DISTRIBUTION, (1,))
    assert "nan" not in first.what


def test_the_same_steps_can_be_emitted_otherwise():
    trace = handmade_trace(["a b", "b b"])
    emitted = np.array(trace.emitted)
    emitted[0, 0, 1] = trace.draft[0, 0, 0]
    first = divergence(trace, replace(trace, emitted=emitted))
    assert (first.step, first.cause, first.positions) == (1, Cause.EMITTED, (1,))


def test_a_later_canvas_is_found():
    a = handmade_trace(["a b"], ["a b", "b b"])
    b = edited(a, 2, candidate=lambda _: 0)
    first = divergence(a, b)
    assert (first.canvas, first.step, first.cause) == (1, 1, Cause.CANDIDATE)


def test_a_sample_that_one_trace_lacks_and_a_finished_sample_have_no_difference():
    a = synthetic_trace(samples=2, canvases=2, steps=[[3, 3], [3, 0]])
    assert divergence(a, synthetic_trace(), sample=1) is None
    assert divergence(a, a, sample=1) is None


def test_a_sample_that_had_ended_in_one_run_only_stopped_there():
    a = synthetic_trace(canvases=2, samples=2, steps=[[2, 2], [2, 0]])
    arrays = {"active": np.ones_like(a.active)}
    first = divergence(a, replace(a, **arrays), sample=1)
    assert (first.canvas, first.step, first.cause) == (1, 0, Cause.STOP)
    assert first.what == "A ran no step on canvas 1; B did."


def test_what_was_not_recorded_is_not_claimed():
    trace = synthetic_trace(length=6, steps=5)
    logged = without(trace, "noised", "entropy", "confidence", "temperature", "entropy_bound")
    first = divergence(trace, edited(logged, 2, draft=another_token))
    assert (first.step, first.cause, first.positions) == (2, Cause.DISTRIBUTION, (1,))
    assert first.what.startswith("The distribution differs at position 1: the temperatures are not both known")
    assert first.what.endswith("Not recorded, and perhaps different before: what was read.")
    kept = divergence(trace, edited(logged, 2, accepted=np.logical_not))
    assert "their entropy bounds are not both known" in kept.what
    assert "same candidates" not in kept.what
    assert divergence(trace, logged) is None


def test_a_prompt_that_one_trace_does_not_hold_is_no_difference():
    trace = synthetic_trace(length=6, steps=5)
    logged = replace(trace, prompt_mask=np.zeros_like(trace.prompt_mask))
    first = divergence(trace, edited(logged, 2, entropy=lambda value: value + 1))
    assert "prompts" not in first.what
