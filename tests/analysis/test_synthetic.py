"""The synthetic traces keep the rules of recorded ones, or nothing tested on them means anything."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.synthetic import NASTY_TEXTS, PAD, Sampler, synthetic_trace

shapes = st.fixed_dictionaries(
    {
        "canvases": st.integers(1, 3),
        "samples": st.integers(1, 3),
        "length": st.integers(1, 9),
        "steps": st.integers(1, 8),
        "seed": st.integers(0, 9999),
    }
)


def accepted_one_by_one(entropy: np.ndarray, bound: float) -> set[int]:
    """facts.md section 1, in words: lowest entropies first, while the sum of those before stays within the bound."""
    spent, kept = np.float32(0), set()
    for position in np.argsort(entropy, kind="stable"):
        total = np.float32(spent + entropy[position])
        if total - entropy[position] > bound:
            break
        kept.add(int(position))
        spent = total
    return kept


@given(shapes)
@settings(max_examples=20)
def test_acceptance_follows_the_entropy_bound(shape):
    trace = synthetic_trace(**shape)
    for step in range(trace.n_steps):
        for sample in range(trace.n_samples):
            kept = set(np.flatnonzero(trace.accepted[step, sample]).tolist())
            assert kept == accepted_one_by_one(trace.entropy[step, sample], 0.1)
            assert trace.entropy_spent[step, sample] <= 0.1 + 1e-5


@given(shapes)
@settings(max_examples=20)
def test_accepted_candidates_are_read_by_the_next_step(shape):
    trace = synthetic_trace(**shape)
    same = trace.canvas[1:] == trace.canvas[:-1]
    kept = trace.accepted[:-1][same]
    np.testing.assert_array_equal(trace.noised[1:][same][kept], trace.candidate[:-1][same][kept])


@given(shapes)
@settings(max_examples=20)
def test_drafts_head_the_alternatives_and_are_emitted(shape):
    trace = synthetic_trace(**shape)
    np.testing.assert_array_equal(trace.top_k_ids[..., 0], trace.draft)
    np.testing.assert_allclose(trace.top_k_probabilities[..., 0], trace.confidence, atol=1e-3)
    assert (np.diff(trace.top_k_probabilities.astype(float), axis=-1) <= 0).all()
    for canvas in range(trace.n_canvases):
        for sample in range(trace.n_samples):
            run = trace.canvas_run(canvas, sample)
            np.testing.assert_array_equal(run.array("draft")[-1], run.emitted)


def test_exact_steps_and_samples_that_had_ended():
    trace = synthetic_trace(canvases=2, samples=2, steps=[[3, 5], [0, 2]])
    counts = [[trace.canvas_run(canvas, sample).n_steps for sample in (0, 1)] for canvas in (0, 1)]
    assert counts == [[3, 5], [0, 2]]
    assert trace.past_end.tolist() == [[False, False], [True, False]]
    assert (trace.emitted[1, 0] == PAD).all()


def test_the_temperature_schedule():
    trace = synthetic_trace(steps=4, sampler=Sampler(t_min=0.2, t_max=1.0))
    np.testing.assert_allclose(trace.temperature, [1.0, 0.8, 0.6, 0.4], rtol=1e-6)


def test_the_dynamics_are_interesting():
    trace = synthetic_trace(length=64, steps=24)
    run = trace.canvas_run()
    accepted = run.array("accepted")
    assert run.array("mean_entropy")[0] > 10 * run.array("mean_entropy")[-1]
    assert (accepted[:-1] & ~accepted[1:]).any(), "nothing was taken back"
    assert (run.array("draft")[1:] != run.array("draft")[:-1]).any(), "no draft changed"


def test_same_arguments_same_trace():
    np.testing.assert_array_equal(synthetic_trace(seed=5).candidate, synthetic_trace(seed=5).candidate)


@pytest.mark.parametrize("texts", [NASTY_TEXTS, ("a",), ("a", "b")])
def test_any_vocabulary(texts):
    assert synthetic_trace(texts=texts, length=1, steps=1).facts.vocab_size == len(texts)
