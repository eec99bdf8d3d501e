"""Interventions in transformers' generate(): the trace shows what was done, and nothing else was touched."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.errors import RunFailedError
from dgemma_viz.labs.interventions import (
    AddNoise,
    ChangeParameters,
    CutSelfConditioning,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    InjectMass,
    Intervention,
    Pin,
    Replace,
    from_json,
    hooks_of,
    intervene,
    replay,
)
from dgemma_viz.labs.interventions.replay import identical
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from tests.labs.failing_pass import failing_in_pass
from tests.recorders.conftest import CANVAS, VOCABULARY, prompts, small_model, small_tokenizer

PROMPT = TASKS["sudoku"].example_prompts[0]
SLOW = {"entropy_bound": 0.01, "max_denoising_steps": 8, "confidence_threshold": None}
PLACE = {"canvas": 1, "step": 3}
"""In the second canvas, in the middle of its denoising."""

positions = st.integers(0, CANVAS - 1)
tokens = st.integers(0, VOCABULARY - 1)
place = st.fixed_dictionaries(
    {"canvas": st.just(1), "step": st.integers(0, 4), "sample": st.none() | st.integers(0, 1)}
)
anything = st.one_of(
    st.builds(lambda p, t, where: Pin(p, t, **where), positions, tokens, place),
    st.builds(lambda m, where: Replace(m, **where), st.dictionaries(positions, tokens, min_size=1), place),
    st.builds(lambda p, where: ForceAccept(p, **where), st.lists(positions, min_size=1, unique=True), place),
    st.builds(lambda p, n, where: ForceRenoise(p, n, **where), st.lists(positions, min_size=1, unique=True),
              st.none() | st.integers(1, 3), place),
    st.builds(lambda f, where: AddNoise(f, **where), st.floats(0.01, 1.0), place),
    st.builds(lambda n, where: DropSelfConditioning(n, **where), st.none() | st.integers(1, 3), place),
    st.builds(lambda k, where: CutSelfConditioning(k, **where), st.integers(1, VOCABULARY + 1), place),
    st.builds(lambda p, t, m, where: InjectMass(p, t, m, **where), positions, tokens, st.floats(-1, 1), place),
)  # fmt: skip


@pytest.fixture(scope="module")
def small():
    return small_model(), small_tokenizer()


@pytest.fixture(scope="module")
def original(small):
    """Two samples, two canvases of at least six steps each."""
    torch.manual_seed(3)
    with dv.record(*small) as recording:
        small[0].generate(**prompts(2), max_new_tokens=2 * CANVAS, confidence_threshold=1e-6, max_denoising_steps=6)
    trace = recording.trace
    assert [int((trace.canvas == canvas).sum()) for canvas in (0, 1)] == [6, 6]
    return trace


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


def index(trace, canvas, step):
    return int(np.flatnonzero((trace.canvas == canvas) & (trace.step_in_canvas == step))[0])


def at_place(done):
    """Index on the axis of steps of the first intervention."""
    return index(done.trace, *done.replayed_to)


# -- one by one ----------------------------------------------------------------------------------------------------


def test_replaced_tokens_are_read_once(small, original):
    done = intervene(*small, original, [Replace({2: 9, 5: "b"}, **PLACE)])
    now = at_place(done)
    b = small[1].get_vocab()["b"]
    expected = original.noised[now].copy()
    expected[:, 2], expected[:, 5] = 9, b
    np.testing.assert_array_equal(done.trace.noised[now], expected)
    assert done.same_until
    assert done.replayed_to == (1, 3)
    assert done.divergence.step == 3
    assert (original.noised[now] != expected).any()


def test_a_pinned_token_is_read_certain_accepted_drafted_and_emitted(small, original):
    done = intervene(*small, original, [Pin(4, 17, **PLACE, sample=1)])
    steps = slice(at_place(done), None)
    for name in ("noised", "candidate", "draft"):
        assert (getattr(done.trace, name)[steps, 1, 4] == 17).all(), name
    assert (done.trace.entropy[steps, 1, 4] == 0).all()
    assert (done.trace.confidence[steps, 1, 4] == 1).all()
    assert done.trace.accepted[steps, 1, 4].all()
    assert done.trace.emitted[1, 1, 4] == 17
    np.testing.assert_array_equal(done.trace.noised[at_place(done), 0], original.noised[at_place(done), 0])


def test_forced_decisions_are_recorded_and_carried_out(small, original):
    now = index(original, 1, 2)
    rejected = np.flatnonzero(~original.accepted[now, 0])[:3]
    accepted = np.flatnonzero(original.accepted[now, 0])[:2]
    where = {"canvas": 1, "step": 2, "sample": 0}
    done = intervene(
        *small, original, [ForceAccept(rejected.tolist(), **where), ForceRenoise(accepted.tolist(), **where)]
    )
    expected = original.accepted[now].copy()
    expected[0, rejected], expected[0, accepted] = True, False
    np.testing.assert_array_equal(done.trace.accepted[now], expected)
    np.testing.assert_array_equal(done.trace.candidate[now], original.candidate[now])
    after = done.trace.noised[now + 1]
    np.testing.assert_array_equal(after[0, rejected], original.candidate[now, 0, rejected])
    others = np.setdiff1d(np.arange(CANVAS), [*rejected, *accepted])
    np.testing.assert_array_equal(after[0, others], original.noised[now + 1, 0, others])
    np.testing.assert_array_equal(after[1], original.noised[now + 1, 1])
    assert done.divergence.cause == "the decision what to keep"


def test_forced_renoise_lasts_as_many_steps_as_asked(small, original):
    done = intervene(*small, original, [ForceRenoise([0, 7], 2, canvas=1, step=1)])
    now = at_place(done)
    assert not done.trace.accepted[now : now + 2][:, :, [0, 7]].any()
    rest = intervene(*small, original, [ForceRenoise([0, 7], None, canvas=1, step=1)])
    assert not rest.trace.accepted[now:][:, :, [0, 7]].any()


def test_noise_is_added_at_random_and_the_run_s_random_numbers_are_untouched(small, original):
    done = intervene(*small, original, [AddNoise(0.5, seed=1, **PLACE)])
    now = at_place(done)
    changed = done.trace.noised[now] != original.noised[now]
    assert 0 < changed.sum(axis=1).max() <= CANVAS // 2
    other = intervene(*small, original, [AddNoise(0.5, seed=2, **PLACE)])
    assert (other.trace.noised[now] != done.trace.noised[now]).any()
    at_some = intervene(*small, original, [AddNoise([1, 2], **PLACE)])
    assert set(np.argwhere(at_some.trace.noised[now] != original.noised[now])[:, 1]) <= {1, 2}
    # what is re-noised in the next step gets the tokens that it got before
    both = ~done.trace.accepted[now] & ~original.accepted[now]
    assert both.any()
    np.testing.assert_array_equal(done.trace.noised[now + 1][both], original.noised[now + 1][both])


def test_self_conditioning_is_dropped_as_the_model_itself_would(small, original):
    """The reference is a decoder that is handed no self-conditioning logits at all."""
    model, _ = small
    done = intervene(*small, original, [DropSelfConditioning(canvas=None, step=0)])
    forward = model.forward
    model.forward = lambda **inputs: forward(**inputs | {"self_conditioning_logits": None})
    try:
        reference = replay(*small, original).trace
    finally:
        del model.forward
    assert identical(done.trace, reference)
    assert not identical(done.trace, original)


def test_self_conditioning_of_one_sample_and_of_one_step(small, original):
    one = intervene(*small, original, [DropSelfConditioning(1, **PLACE, sample=1)])
    now = at_place(one)
    np.testing.assert_array_equal(one.trace.entropy[now, 0], original.entropy[now, 0])
    assert (one.trace.entropy[now, 1] != original.entropy[now, 1]).any()
    first = intervene(*small, original, [DropSelfConditioning(1, canvas=1, step=0)])
    assert first.divergence is None
    assert "This changed nothing" in first.explain()


def test_parameters_change_where_they_are_read(small, original):
    values = {"entropy_bound": 5.0, "t_min": 0.2, "t_max": 1.4}
    done = intervene(*small, original, [ChangeParameters(values, canvas=0, step=4)])
    first, steps = at_place(done), 6
    np.testing.assert_array_equal(done.trace.entropy_bound[first:], np.float32(5.0))
    np.testing.assert_array_equal(done.trace.entropy_bound[:first], np.float32(1.0))
    remaining = steps - done.trace.step_in_canvas[first:]
    np.testing.assert_allclose(done.trace.temperature[first:], 0.2 + 1.2 * remaining / steps, rtol=1e-6)
    np.testing.assert_array_equal(done.trace.temperature[:first], original.temperature[:first])
    assert done.trace.facts.settings == original.facts.settings


def test_stopping_thresholds_change_with_the_history_kept(tiny):
    """From step 2 on anything counts as confident, so that stability alone decides."""
    original = run(*tiny, PROMPT, parameters=SLOW | {"confidence_threshold": 1e-9}, seed=3)
    stable = original.stable_steps[:, 0]
    first = int(np.argmax(stable >= 1))
    assert first + 3 < original.n_steps
    for threshold in (0, 1, 2, 3):
        values = {"confidence_threshold": 99.0, "stability_threshold": threshold}
        trace = intervene(*tiny, original, [ChangeParameters(values, step=first)]).trace
        # before the change, one draft was remembered: that of the step before
        assert trace.n_steps == (first + 1 if threshold <= 1 else first + threshold)
        assert trace.finished[-1, 0]


def test_stopping_can_be_switched_off_but_not_on(tiny):
    early = run(*tiny, PROMPT, parameters={"max_denoising_steps": 12})
    assert early.n_steps < 12
    assert intervene(*tiny, early, [ChangeParameters({"confidence_threshold": None}, step=1)]).trace.n_steps == 12
    whole = run(*tiny, PROMPT, parameters=SLOW)
    with pytest.raises(RunFailedError, match="adaptive stopping was off in this run"):
        intervene(*tiny, whole, [ChangeParameters({"confidence_threshold": 0.1}, step=1)])


# -- together ------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(one=anything)
def test_before_it_nothing_differs_and_the_changed_run_repeats(small, original, one):
    done = intervene(*small, original, [one])
    now = at_place(done)
    assert done.same_until
    for name in ("noised", "candidate", "draft", "accepted", "entropy", "finished"):
        np.testing.assert_array_equal(getattr(done.trace, name)[:now], getattr(original, name)[:now])
    if one.sample is not None:  # rows of a batch do not touch each other
        other = 1 - one.sample
        np.testing.assert_array_equal(done.trace.noised[now, other], original.noised[now, other])
    assert not done.trace.facts.notices
    assert replay(*small, done.trace).identical
    assert done.explain()


@settings(max_examples=50)
@given(one=anything)
def test_an_intervention_survives_json(one):
    assert from_json(json.loads(json.dumps(one.to_json()))) == one
    assert isinstance(one, Intervention)
    assert f"step {one.step}" in one.describe()


def test_the_next_draws_are_the_same_where_the_distribution_is(small, original):
    """torch.multinomial draws by position, so another position's token does not move the others' random numbers."""
    one = Replace({0: 5}, **PLACE, sample=0)
    done = intervene(*small, original, [one, DropSelfConditioning(canvas=None, step=0)])
    base = intervene(*small, original, [DropSelfConditioning(canvas=None, step=0)])
    now = index(original, 1, 3)
    noise = ~done.trace.accepted[now, 0] & ~base.trace.accepted[now, 0]
    np.testing.assert_array_equal(done.trace.noised[now + 1, 0, noise], base.trace.noised[now + 1, 0, noise])
    np.testing.assert_array_equal(done.trace.candidate[now:, 1], base.trace.candidate[now:, 1])
    nothing = ForceAccept(np.flatnonzero(original.accepted[now, 0]).tolist(), **PLACE, sample=0)
    unchanged = intervene(*small, original, [nothing])
    assert identical(unchanged.trace, original)
    assert unchanged.divergence is None


def test_interventions_add_up(small, original):
    first = intervene(*small, original, [Replace({0: 5}, canvas=0, step=1)])
    second = intervene(*small, first.trace, [Replace({1: 6}, canvas=0, step=2)])
    assert [one["kind"] for one in second.trace.facts.task.interventions] == ["Replace", "Replace"]
    assert second.trace.noised[1, 0, 0] == 5
    assert second.trace.noised[2, 0, 1] == 6
    assert second.same_until
    together = intervene(*small, original, [Replace({0: 5}, canvas=0, step=1), Replace({1: 6}, canvas=0, step=2)])
    assert identical(together.trace, second.trace)


def test_what_was_done_is_saved_with_the_trace(small, original, tmp_path):
    done = intervene(*small, original, [Pin(3, "c", **PLACE), AddNoise(0.25, canvas=0, step=1)])
    done.trace.save(tmp_path / "changed.safetensors")
    loaded = dv.load_trace(tmp_path / "changed.safetensors")
    kinds = [from_json(one) for one in loaded.facts.task.interventions]
    assert kinds == list(done.interventions)
    assert replay(*small, loaded).identical
    assert not original.facts.task.interventions


def test_the_model_is_left_as_it_was(small, original):
    model, _ = small
    before = dict(vars(model))
    intervene(*small, original, [Pin(3, 9, **PLACE), ChangeParameters({"entropy_bound": 3.0}, **PLACE)])
    assert vars(model) == before
    with failing_in_pass(model, 7), pytest.raises(RunFailedError, match="no memory left") as failed:
        intervene(*small, original, [Replace({0: 1}, canvas=0, step=2)])
    assert vars(model) == before
    assert failed.value.trace.n_steps == 7
    assert failed.value.trace.noised[2, 0, 0] == 1
    assert failed.value.trace.facts.task.interventions[0]["kind"] == "Replace"


def test_a_wrong_answer_heals_or_does_not(tiny):
    trace = run(*tiny, PROMPT, parameters=SLOW, seed=3)
    done = intervene(*tiny, trace, [Pin(0, "4", step=1)])
    assert done.trace.output_text()[0] == "4"
    assert "The output is '4" in done.explain()
    assert done.trace.facts.task.prompt == PROMPT
    assert done.trace.facts.task.name == "sudoku"
    healed = intervene(*tiny, trace, [Replace({0: "4"}, step=5)])
    assert healed.trace.output_text() == trace.output_text()
    assert "The output is the same." in healed.explain()


def test_interventions_in_a_fresh_run(tiny):
    trace = run(*tiny, PROMPT, parameters=SLOW, seed=3)
    one = Replace({0: "4"}, step=5)
    fresh = run(*tiny, PROMPT, parameters=SLOW, seed=3, hooks=hooks_of([one], *tiny))
    assert identical(fresh, intervene(*tiny, trace, [one]).trace)


def test_every_sampler_says_what_can_be_changed():
    for sampler in SAMPLERS.values():
        assert set(sampler.changeable or ()) <= set(sampler.values())


def test_an_interrupt_ends_it(tiny):
    trace = run(*tiny, PROMPT, parameters=SLOW, seed=3)

    def stop(step):
        if step.step_in_canvas == 4:
            raise KeyboardInterrupt

    done = intervene(*tiny, trace, [Replace({0: "4"}, step=2)], on_step=stop)
    assert done.trace.n_steps == 5
    assert "is not complete: the changed run was interrupted" in done.explain()


def test_an_original_that_cannot_be_repeated_is_told_apart_from_the_change(small, original):
    done = intervene(small_model(seed=1), small[1], original, [Replace({0: 5}, **PLACE)])
    assert not done.same_until
    assert "so not all that follows is the change's doing" in done.explain()


@pytest.mark.compiled
def test_compiled_functions_are_intervened_in_as_well():
    """With a static cache, upstream compiles the decoder and the sampler of the first call."""
    small = small_model(), small_tokenizer()
    torch.manual_seed(3)
    call = {"cache_implementation": "static", "max_denoising_steps": 5, "confidence_threshold": 1e-6}
    with dv.record(*small) as recording:
        small[0].generate(**prompts(2), **call)
    original = recording.trace
    assert replay(*small, original).identical
    interventions = [
        ForceRenoise([3], canvas=0, step=1),
        Pin(5, 9, step=2),
        DropSelfConditioning(1, step=2),
        ChangeParameters({"entropy_bound": 5.0}, step=3),
    ]
    done = intervene(*small, original, interventions)
    assert done.same_until
    assert not done.trace.accepted[1, :, 3].any()
    assert (done.trace.emitted[0, :, 5] == 9).all()
    np.testing.assert_array_equal(done.trace.entropy_bound, np.float32([1, 1, 1, 5, 5]))
    assert replay(*small, original).identical
