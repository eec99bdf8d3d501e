"""The trace itself: immutable, consistent or refused, and honest about what it does not have."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.errors import TraceError
from dgemma_viz.trace import ARRAYS, Decision, RunFacts, Trace
from tests.synthetic import synthetic_trace


def rebuilt(trace: Trace, **changes) -> Trace:
    values = {name: getattr(trace, name) for name in ARRAYS} | {"facts": trace.facts, "token_texts": trace.token_texts}
    return Trace(**(values | changes))


def test_arrays_cannot_be_changed_and_do_not_share_memory_with_the_caller():
    trace = synthetic_trace()
    with pytest.raises(ValueError, match="read-only"):
        trace.entropy[0] = 0
    mine = np.array(trace.entropy)
    copy = rebuilt(trace, entropy=mine)
    mine[:] = -1
    np.testing.assert_array_equal(copy.entropy, trace.entropy)
    with pytest.raises(TypeError):
        trace.token_texts[0] = "x"


def test_dtypes_are_those_of_the_schema():
    trace = synthetic_trace()
    assert {name: getattr(trace, name).dtype.name for name in ARRAYS} == {n: s.dtype for n, s in ARRAYS.items()}


def test_shapes_that_do_not_fit_name_the_array():
    trace = synthetic_trace(length=6)
    with pytest.raises(TraceError, match="'draft' has C=5"):
        rebuilt(trace, draft=trace.draft[:, :, :5])


def test_token_ids_outside_the_vocabulary():
    trace = synthetic_trace()
    with pytest.raises(TraceError, match="outside the vocabulary of 3"):
        rebuilt(trace, facts=RunFacts(vocab_size=3))


def test_a_canvas_run_holds_only_the_active_steps_of_its_sample():
    trace = synthetic_trace(canvases=3, samples=2, seed=3)
    for canvas in range(3):
        for sample in range(2):
            run = trace.canvas_run(canvas, sample)
            expected = [s for s in range(trace.n_steps) if trace.canvas[s] == canvas and trace.active[s, sample]]
            assert run.steps.tolist() == expected
            np.testing.assert_array_equal(run.array("draft"), trace.draft[expected, sample])
            np.testing.assert_array_equal(run.array("temperature"), trace.temperature[expected])
            np.testing.assert_array_equal(run.emitted, trace.emitted[canvas, sample])


@pytest.mark.parametrize(("canvas", "sample"), [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_a_canvas_or_sample_that_is_not_there(canvas, sample):
    with pytest.raises(TraceError, match="is not in this trace, which has 1"):
        synthetic_trace(canvases=1, samples=1).canvas_run(canvas, sample)


def test_a_run_that_was_cut_off_has_no_emitted_tokens_for_its_last_canvas():
    trace = synthetic_trace(canvases=2)
    cut = rebuilt(trace, emitted=trace.emitted[:1], past_end=trace.past_end[:1])
    assert cut.canvas_run(1).emitted is None
    assert cut.canvas_run(0).emitted is not None


def test_more_emitted_canvases_than_denoised():
    trace = synthetic_trace(canvases=1)
    with pytest.raises(TraceError, match="only 1 were denoised"):
        rebuilt(trace, emitted=np.repeat(trace.emitted, 2, axis=0), past_end=np.repeat(trace.past_end, 2, axis=0))


def test_output_ends_before_the_first_end_of_sequence_token():
    trace = synthetic_trace(canvases=1, length=4)
    emitted = np.array([[[5, 6, 1, 0]]])
    texts = {5: "a", 6: "b", 1: "<eos>", 0: "<pad>"}
    facts = replace(trace.facts, eos_token_ids=(1,), pad_token_id=0)
    ended = rebuilt(trace, emitted=emitted, token_texts=texts, facts=facts)
    assert ended.output_text() == "ab"
    assert tokens_per_forward(ended) == 3 / trace.active[:, 0].sum()


def test_a_token_without_text_shows_its_id():
    assert rebuilt(synthetic_trace(), token_texts={}).token_text(7) == "⟨7⟩"


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        ({"model_id": "me/mine", "model_class": "MyModel"}, "MyModel"),
        ({"model_id": "me/mine", "model_class": ""}, "me/mine"),
        ({"model_id": "", "model_class": ""}, "unknown model"),
    ],
)
def test_it_prints_by_what_is_known_of_its_model(facts, name):
    trace = synthetic_trace(length=6, steps=4)
    known = repr(replace(trace, facts=replace(trace.facts, **facts)))
    assert known == f"<Trace of {name}: 1 canvas x 6 positions, 4 steps, 1 sample, complete>"


def test_a_trace_of_no_steps_is_possible():
    trace = synthetic_trace(canvases=1)
    empty = {n: getattr(trace, n)[:0] for n, s in ARRAYS.items() if s.axes[0] in "SN"}
    nothing = rebuilt(trace, **empty)
    assert (nothing.n_steps, nothing.n_canvases, nothing.output_text()) == (0, 0, "")
    assert np.isnan(tokens_per_forward(nothing))


def test_decisions_and_phases_follow_from_what_is_there():
    trace = synthetic_trace(length=6, steps=4)
    np.testing.assert_array_equal(trace.decision, trace.accepted.astype(np.uint8))
    assert not trace.phase.any()


def test_decisions_that_contradict_what_was_accepted():
    trace = synthetic_trace(length=6, steps=4)
    kept = np.where(trace.accepted, Decision.KEPT, Decision.NOISE)
    assert replace(trace, decision=kept).decision.max() == Decision.KEPT
    with pytest.raises(TraceError, match="'accepted' and 'decision' contradict each other"):
        replace(trace, accepted=~trace.accepted)
    with pytest.raises(TraceError, match="'decision' holds the code 9; the last known is 4"):
        replace(trace, decision=np.where(trace.accepted, 9, 0))
    with pytest.raises(TraceError, match="'phase' holds the code 3"):
        replace(trace, phase=np.full(4, 3))
