"""Per-step quantities against a recomputation one step at a time."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.analysis.steps import accepted_counts, noise_ratios, settled_counts, tokens_per_forward
from dgemma_viz.trace import ARRAYS, RunFacts, Trace
from tests.synthetic import synthetic_trace


@given(length=st.integers(1, 9), steps=st.integers(1, 9), seed=st.integers(0, 9999))
@settings(max_examples=40)
def test_every_count(length, steps, seed):
    run = synthetic_trace(length=length, steps=steps, seed=seed).canvas_run()
    accepted, draft = run.array("accepted"), run.array("draft")
    for step in range(run.n_steps):
        kept = sum(bool(a) for a in accepted[step])
        assert accepted_counts(run)[step] == kept
        assert noise_ratios(run)[step] == pytest.approx((length - kept) / length)
        settled = sum(len(set(draft[step:, position].tolist())) == 1 for position in range(length))
        assert settled_counts(run)[step] == settled
    assert settled_counts(run)[-1] == length


def test_a_run_without_steps():
    run = synthetic_trace(canvases=2, steps=[[3], [0]]).canvas_run(1)
    assert [len(f(run)) for f in (noise_ratios, accepted_counts, settled_counts)] == [0, 0, 0]


def test_tokens_per_forward_counts_each_samples_own_steps_and_neither_padding_nor_what_follows_the_end():
    trace = synthetic_trace(canvases=2, samples=2, length=6, steps=[[3, 5], [0, 2]], seed=1)
    pad = trace.facts.pad_token_id
    for sample, passes in ((0, 3), (1, 7)):
        ids = trace.emitted[:, sample].ravel().tolist()
        end = next((place for place, token in enumerate(ids) if token in trace.facts.eos_token_ids), len(ids))
        tokens = sum(token != pad for token in ids[: end + 1])
        assert tokens_per_forward(trace, sample) == tokens / passes


def test_without_a_padding_token_every_emitted_token_counts():
    trace = synthetic_trace(length=6, steps=4)
    values = {name: getattr(trace, name) for name in ARRAYS}
    assert tokens_per_forward(Trace(**values, facts=RunFacts())) == 6 / 4


def test_nothing_emitted_has_no_rate():
    trace = synthetic_trace()
    values = {name: getattr(trace, name) for name in ARRAYS}
    values |= {"emitted": trace.emitted[:0], "past_end": trace.past_end[:0]}
    assert np.isnan(tokens_per_forward(Trace(**values)))


def test_steps_of_a_canvas_that_was_cut_off_do_not_count():
    trace = synthetic_trace(canvases=2, length=6, steps=[[3], [5]])
    values = {name: getattr(trace, name) for name in ARRAYS}
    values |= {"emitted": trace.emitted[:1], "past_end": trace.past_end[:1]}
    assert tokens_per_forward(Trace(**values, facts=RunFacts())) == 6 / 3


def test_positions_outside_of_the_output_are_not_counted():
    trace = synthetic_trace(length=8, steps=[[4]])
    whole = trace.canvas_run()
    part = replace(trace, facts=replace(trace.facts, output_span=(5, 8))).canvas_run()
    assert accepted_counts(part).tolist() == whole.array("accepted")[:, 5:].sum(axis=1).tolist()
    assert noise_ratios(part).tolist() == pytest.approx(1 - whole.array("accepted")[:, 5:].mean(axis=1))
    assert settled_counts(part)[-1] == 3
    nothing = replace(trace, facts=replace(trace.facts, output_span=(8, 8))).canvas_run()
    assert np.isnan(noise_ratios(nothing)).all()
