"""The acceptance rule read back from a trace: by hand, by invariants, and against the sampler's own decisions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import dgemma_viz as dv
from dgemma_viz.analysis.acceptance import (
    BORDERLINE,
    borderline,
    first_change,
    margins,
    ranks,
    redecide,
    spent_before,
    why,
)
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from tests.synthetic import synthetic_trace


def run_with(entropy, bound=0.1):
    """A canvas run of the given entropies ``(T, C)``, accepted by the rule."""
    entropy = np.asarray(entropy, dtype=np.float32)
    trace = synthetic_trace(length=entropy.shape[1], steps=[[len(entropy)]])
    run = replace(trace, entropy=entropy[:, None, :], entropy_bound=np.full(len(entropy), bound)).canvas_run()
    accepted = redecide(run, bound)
    return replace(run.trace, accepted=accepted[:, None, :], decision=None).canvas_run()


@pytest.fixture(scope="module")
def recorded():
    model, tokenizer = dv.load_tiny()
    prompts = [(task.example_prompts[i], seed) for task in TASKS.values() for i in (0, 1) for seed in (0, 1)]
    return [run(model, tokenizer, prompt, seed=seed) for prompt, seed in prompts]


def test_by_hand():
    run = run_with([[0.05, 0.0, 0.2, 0.06]])
    assert ranks(run).tolist() == [[1, 0, 3, 2]]
    np.testing.assert_allclose(spent_before(run), [[0.0, 0.0, 0.11, 0.05]], atol=1e-7)
    np.testing.assert_allclose(margins(run), [[0.1, 0.1, -0.01, 0.05]], atol=1e-7)
    assert redecide(run, 0.1).tolist() == [[True, True, False, True]]
    assert redecide(run, 0.0).tolist() == [[True, True, False, False]]
    assert first_change(run, 0.1) is None
    assert first_change(run, 1.0) == 0


def test_the_sentence_tells_the_numbers():
    run = run_with([[0.05, 0.0, 0.2, 0.06]])
    assert (
        why(run, 0, 3)
        == "accepted: rank 3 of 4 by entropy, the cheaper ones use 0.05 nats of the bound of 0.1, 0.05 nats to spare"
    )
    assert why(run, 0, 2).startswith("re-noised: rank 4 of 4 by entropy, the cheaper ones use 0.11 nats of the bound")
    other = replace(run.trace, accepted=~run.trace.accepted, decision=None).canvas_run()
    assert "should be the other way" in why(other, 0, 2)
    unknown = replace(run.trace, entropy_bound=np.array([np.nan])).canvas_run()
    assert "no entropy bound is known" in why(unknown, 0, 2)
    assert "not a number" in why(run_with([[0.05, np.nan, 0.2, 0.06]]), 0, 1) or np.isfinite(
        spent_before(run_with([[0.05, np.nan, 0.2, 0.06]]))[0, 1]
    )


def test_the_recorded_bound_reproduces_the_sampler_s_own_decisions(recorded):
    """Exactly, but for positions so near to the bound that the order of summation decides."""
    decided = 0
    for trace in recorded:
        for canvas in range(trace.n_canvases):
            run = trace.canvas_run(canvas)
            again = redecide(run, float(run.array("entropy_bound")[0]))
            differs = again != run.array("accepted")
            assert not (differs & ~borderline(run)).any()
            decided += again.size
    assert decided > 5_000


@settings(max_examples=60)
@given(
    entropy=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=8), elements=st.floats(0, 6, width=32)
    ),
    bound=st.floats(0, 8),
)
def test_it_is_upstream_s_rule(entropy, bound):
    run = run_with(entropy, bound)
    # The lines of EntropyBoundSampler.accept_canvas after its entropies.
    ordered, order = torch.sort(torch.from_numpy(entropy), dim=-1)
    mask = torch.zeros(entropy.shape, dtype=torch.bool).scatter(-1, order, torch.cumsum(ordered, -1) - ordered <= bound)
    differs = mask.numpy() != redecide(run, bound)
    ties = np.array([[(row == value).sum() > 1 for value in row] for row in entropy])
    assert not (differs & ~ties & (np.abs(margins(run, bound)) > BORDERLINE)).any()
    np.testing.assert_array_equal(
        mask.sum(-1).numpy()[~differs.any(-1)], redecide(run, bound).sum(-1)[~differs.any(-1)]
    )


@settings(max_examples=40)
@given(seed=st.integers(0, 999), low=st.floats(0, 3), more=st.floats(0, 3))
def test_a_larger_bound_accepts_no_less(seed, low, more):
    run = synthetic_trace(length=9, steps=5, seed=seed).canvas_run()
    assert (redecide(run, low) <= redecide(run, low + more)).all()
    assert (redecide(run, low).sum(axis=-1) >= 1).all()


@pytest.mark.parametrize("bound", [-0.1, float("nan"), float("inf"), "0.1", None])
def test_a_bound_that_is_none_is_refused(bound):
    with pytest.raises(SettingError, match=r"out of range|must be a finite number"):
        redecide(synthetic_trace().canvas_run(), bound)


def test_no_steps_and_one_position():
    empty = synthetic_trace(canvases=2, samples=2, steps=[[3, 2], [3, 0]]).canvas_run(1, 1)
    assert redecide(empty, 0.1).shape == (0, empty.canvas_length)
    assert first_change(empty, 0.1) is None
    one = run_with([[5.0]])
    assert redecide(one, 0).all()
