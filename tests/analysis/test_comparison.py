from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from tests.cut_traces import without_steps
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace


def test_drafts_that_differ_by_hand():
    pair = pair_of(handmade_trace(["a b c", "a b b", "a c b"]), handmade_trace(["a b c", "a c b", "b c b"]))
    found = pair.differences()
    assert found.common == 3
    assert found.draft.tolist() == [[False] * 3, [False, True, False], [True, False, False]]
    np.testing.assert_allclose(found.draft_fractions, [0, 1 / 3, 1 / 3])
    assert pair.differing_output().tolist() == [[True, False, False]]


def test_a_run_that_has_stopped_keeps_its_last_draft():
    short, long = handmade_trace(["a b", "b b"]), handmade_trace(["a b", "b b", "b a", "b b"])
    for pair in (pair_of(short, long), pair_of(long, short)):
        found = pair.differences()
        assert found.common == 2
        assert found.draft.tolist() == [[False, False], [False, False], [False, True], [False, False]]
        for name in ("noised", "candidate", "accepted", "distribution"):
            assert not getattr(found, name)[2:].any()


def test_what_is_emitted_after_the_end_does_not_count():
    pair = pair_of(handmade_trace(["a <eos> b b"]), handmade_trace(["a b <eos> a"]))
    assert pair.differing_output().tolist() == [[False, True, True, False]]


@given(
    sizes=st.tuples(*[st.fixed_dictionaries({"length": st.integers(1, 6), "canvases": st.integers(1, 3)})] * 2),
    samples=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    steps=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    seeds=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
@settings(max_examples=60)
def test_any_two_traces_of_one_vocabulary(sizes, samples, steps, seeds):
    a, b = (
        synthetic_trace(**size, samples=number, steps=most, seed=seed)
        for size, number, most, seed in zip(sizes, samples, steps, seeds, strict=True)
    )
    pair, swapped = pair_of(a, b), pair_of(b, a)
    assert (pair.n_canvases, pair.n_samples) == (max(a.n_canvases, b.n_canvases), max(samples))
    for canvas in range(pair.n_canvases):
        for sample in range(pair.n_samples):
            found, mirrored = pair.differences(canvas, sample), swapped.differences(canvas, sample)
            np.testing.assert_array_equal(found.draft, mirrored.draft)
            np.testing.assert_array_equal(found.distribution, mirrored.distribution)
            assert len(found.draft) == pair.n_steps(canvas, sample)
            assert not (found.draft[: found.common] & ~found.distribution[: found.common]).any()
    for sample in range(pair.n_samples):
        np.testing.assert_array_equal(pair.differing_output(sample), swapped.differing_output(sample))


@given(length=st.integers(1, 9), steps=st.integers(1, 6), seed=st.integers(0, 99))
@settings(max_examples=25)
def test_a_trace_does_not_differ_from_itself(length, steps, seed):
    trace = synthetic_trace(length=length, steps=steps, seed=seed, canvases=2)
    pair = pair_of(trace, trace)
    assert pair.remarks == ()
    assert not pair.differing_output().any()
    for canvas in range(2):
        found = pair.differences(canvas)
        assert not any(getattr(found, name).any() for name in ("noised", "candidate", "accepted", "distribution"))


def test_numbers_that_differ_by_rounding_are_equal_and_not_numbers_are_equal_to_each_other():
    a = synthetic_trace(length=6, steps=4)
    entropy = np.array(a.entropy) * np.float32(1.001)
    entropy[1, 0, 2] = np.nan
    original = np.array(a.entropy)
    original[1, 0, 2] = np.nan
    pair = pair_of(replace(a, entropy=original), replace(a, entropy=entropy))
    assert not pair.differences().distribution.any()
    entropy = entropy.copy()
    entropy[2, 0, 3] += 0.1
    found = pair_of(replace(a, entropy=original), replace(a, entropy=entropy)).differences()
    assert np.argwhere(found.distribution).tolist() == [[2, 3]]


def test_other_canvas_lengths_share_the_first_canvas_only():
    pair = pair_of(synthetic_trace(length=8, canvases=2), synthetic_trace(length=5, canvases=2))
    assert (pair.canvases, pair.positions) == (1, 5)
    assert pair.differences(0).draft.shape[1] == 5
    assert pair.differences(1).draft.shape[1] == 0
    assert pair.differing_output().shape == (1, 5)
    assert any("only the first 5 positions of canvas 0" in remark for remark in pair.remarks)


def test_what_one_trace_lacks_is_said():
    pair = pair_of(synthetic_trace(canvases=2, samples=2), synthetic_trace(canvases=1))
    assert pair.runs(1, 0)[0] is not None
    assert pair.runs(1, 0)[1] is None
    assert pair.runs(0, 1)[1] is None
    assert pair.differences(1).common == 0
    assert pair.differing_output(1).shape[0] == 0
    remarks = " ".join(pair.remarks)
    assert "2 canvases in A, 1 in B" in remarks
    assert "2 samples in A, 1 in B" in remarks
    assert "prompts differ" in remarks


def test_a_trace_without_steps_can_be_compared():
    trace = synthetic_trace()
    pair = pair_of(trace, without_steps(trace))
    assert "B holds no denoising step." in pair.remarks
    assert pair.differences().common == 0
    assert not pair.differences().draft.any()
    both = pair_of(without_steps(trace), without_steps(trace))
    assert both.n_canvases == 0
    assert both.differing_output().shape[0] == 0


def test_a_run_that_was_cut_off_has_no_output_to_compare():
    pair = pair_of(handmade_trace(["a b"]), handmade_trace(["a b"], status="interrupted"))
    assert pair.differing_output().shape == (0, 2)
    assert pair.differences().common == 1


def test_arrays_that_were_not_recorded_are_not_compared():
    a = synthetic_trace(length=6, steps=4)
    unknown = np.full(a.candidate.shape, UNKNOWN_TOKEN)
    b = replace(a, candidate=unknown, facts=replace(a.facts, absent=("candidate",)))
    pair = pair_of(a, b)
    assert not pair.differences().candidate.any()
    assert "B did not record candidate: not compared." in pair.remarks


def test_other_vocabularies_cannot_be_compared():
    a = synthetic_trace()
    with pytest.raises(TraceError, match=r"do not share a vocabulary: token 2 reads ' the' but 'x' \(1 such tokens\)"):
        pair_of(a, replace(a, token_texts={**a.token_texts, 2: "x"}))
    larger = replace(a, facts=replace(a.facts, vocab_size=a.facts.vocab_size + 64))
    assert "compared by id" in pair_of(a, larger).remarks[0]
    with pytest.raises(TraceError, match="no token text in common"):
        pair_of(a, replace(larger, token_texts={}))
