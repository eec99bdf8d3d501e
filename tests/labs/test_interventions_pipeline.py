"""Interventions in diffusers' DiffusionGemmaPipeline, under each of its schedulers: carried out, and so recorded."""

import numpy as np
import pytest

from dgemma_viz.errors import SettingError
from dgemma_viz.labs.interventions import (
    AddNoise,
    ChangeParameters,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    Pin,
    Replace,
    hooks_of,
    intervene,
    replay,
)
from dgemma_viz.labs.interventions.replay import identical
from dgemma_viz.labs.run import run
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace.decision import Decision, Phase

PROMPTS = [TASKS["sudoku"].example_prompts[0], TASKS["addition"].example_prompts[0]]
STEPS = {"max_denoising_steps": 9, "confidence_threshold": None}
RUNS = {
    "entropy_bound_diffusers": STEPS | {"entropy_bound": 0.01},
    "block_refinement": STEPS | {"threshold": 2.0, "temperature": 0.8},
    "editing": STEPS | {"threshold": 0.9, "temperature": 0.8, "editing_threshold": 0.4},
    "discrete_ddim": STEPS | {"temperature": 0.8},
    "corrected": STEPS | {"temperature": 0.8, "corrector_steps": 1, "corrector_k": 4},
}
SAMPLER = {"editing": "block_refinement", "corrected": "discrete_ddim"}


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.fixture(scope="module", params=RUNS)
def original(tiny, request):
    name = request.param
    return run(*tiny, PROMPTS, SAMPLER.get(name, name), RUNS[name], seed=5, max_new_tokens=96)


def the_run(tiny, name):
    return run(*tiny, PROMPTS, SAMPLER.get(name, name), RUNS[name], seed=5, max_new_tokens=96)


def index(trace, canvas, step):
    return int(np.flatnonzero((trace.canvas == canvas) & (trace.step_in_canvas == step))[0])


def test_replaced_tokens_are_read_in_any_canvas(tiny, original):
    canvas = original.n_canvases - 1
    done = intervene(*tiny, original, [Replace({2: "7", 5: 9}, canvas=canvas, step=3, sample=1)])
    now = index(original, canvas, 3)
    expected = original.noised[now].copy()
    expected[1, 2], expected[1, 5] = tiny[1].get_vocab()["7"], 9
    np.testing.assert_array_equal(done.trace.noised[now], expected)
    np.testing.assert_array_equal(done.trace.noised[:now], original.noised[:now])
    np.testing.assert_array_equal(done.trace.entropy[now, 0], original.entropy[now, 0])
    assert (done.trace.entropy[now, 1] != original.entropy[now, 1]).any()
    assert done.same_until
    assert not done.trace.facts.notices
    assert replay(*tiny, done.trace).identical


def test_a_pinned_token_is_emitted(tiny, original):
    seven = tiny[1].get_vocab()["7"]
    trace = intervene(*tiny, original, [Pin(2, "7", step=2, sample=0)]).trace
    steps = (trace.canvas == 0) & (trace.step_in_canvas >= 2)
    assert (trace.noised[steps, 0, 2] == seven).all()
    assert (trace.draft[steps, 0, 2] == seven).all()
    denoising = steps & (trace.phase == Phase.DENOISE)
    assert (trace.candidate[denoising, 0, 2] == seven).all()
    assert (trace.entropy[denoising, 0, 2] == 0).all()
    assert trace.emitted[0, 0, 2] == seven
    assert not trace.facts.notices


def test_forced_decisions_are_recorded_and_carried_out(tiny, original):
    now = next(step for step in range(2, 6) if original.phase[step] == Phase.DENOISE)
    accepted = np.flatnonzero(original.accepted[now, 0])[:2].tolist()
    noise = np.flatnonzero(~original.accepted[now, 0])[:2].tolist() or [40]
    place = {"step": now, "sample": 0}
    done = intervene(*tiny, original, [ForceRenoise(accepted, **place), ForceAccept(noise, **place)])
    trace = done.trace
    assert done.same_until
    assert (trace.decision[now, 0, accepted] == Decision.NOISE).all()
    assert trace.accepted[now, 0, noise].all()
    np.testing.assert_array_equal(trace.candidate[now], original.candidate[now])
    np.testing.assert_array_equal(trace.noised[now + 1, 0, noise], original.candidate[now, 0, noise])
    assert (trace.noised[now + 1, 0, accepted] != trace.candidate[now, 0, accepted]).all()
    assert (trace.noised[now + 1, 0, accepted] != trace.noised[now, 0, accepted]).all()
    others = np.setdiff1d(np.arange(48), [*accepted, *noise])
    np.testing.assert_array_equal(trace.noised[now + 1, 0, others], original.noised[now + 1, 0, others])
    np.testing.assert_array_equal(trace.noised[now + 1, 1], original.noised[now + 1, 1])
    assert not trace.facts.notices


def test_what_changes_nothing_gives_the_identical_run(tiny, original):
    step = 3
    same = {position: int(original.noised[step, 0, position]) for position in (0, 7, 20)}
    done = intervene(*tiny, original, [Replace(same, step=step, sample=0), DropSelfConditioning(1, step=0)])
    assert done.divergence is None
    assert identical(done.trace, original)


def test_self_conditioning_is_dropped_as_the_model_itself_would(tiny, original):
    model, _ = tiny
    done = intervene(*tiny, original, [DropSelfConditioning(canvas=None, step=0)])
    forward = model.forward
    model.forward = lambda **inputs: forward(**inputs | {"self_conditioning_logits": None})
    try:
        reference = replay(*tiny, original).trace
    finally:
        del model.forward
    assert not identical(done.trace, original)
    for name in ("noised", "candidate", "draft", "decision", "emitted"):
        np.testing.assert_array_equal(getattr(done.trace, name), getattr(reference, name))


def test_noise_lets_the_run_s_random_numbers_be(tiny):
    original = run(*tiny, PROMPTS, "entropy_bound_diffusers", STEPS | {"entropy_bound": 1e-6, "t_max": 3.0})
    done = intervene(*tiny, original, [AddNoise(0.5, step=1)])
    assert (done.trace.noised[1] != original.noised[1]).any()
    both = ~done.trace.accepted[1] & ~original.accepted[1]
    assert both.any()
    np.testing.assert_array_equal(done.trace.noised[2][both], original.noised[2][both])


def test_commits_are_sticky_until_noise_is_forced(tiny):
    """A replaced token stays committed and is emitted, wrong as it is; forced noise is decided on again."""
    original = the_run(tiny, "block_refinement")
    committed = int(np.flatnonzero(original.decision[4, 0] == Decision.KEPT)[0])
    wrong = (int(original.noised[4, 0, committed]) + 1) % original.facts.vocab_size
    stuck = intervene(*tiny, original, [Replace({committed: wrong}, step=4, sample=0)]).trace
    steps = (stuck.canvas == 0) & (stuck.step_in_canvas >= 4)
    assert (stuck.decision[steps, 0, committed] == Decision.KEPT).all()
    assert stuck.emitted[0, 0, committed] == wrong
    freed = intervene(*tiny, original, [ForceRenoise([committed], step=4, sample=0)]).trace
    assert freed.decision[4, 0, committed] == Decision.NOISE
    later = freed.decision[(freed.canvas == 0) & (freed.step_in_canvas > 4), 0, committed]
    assert (later == Decision.ACCEPTED).sum() == 1
    assert freed.emitted[0, 0, committed] == original.emitted[0, 0, committed]
    editing = the_run(tiny, "editing")
    committed = int(np.flatnonzero(editing.decision[4, 0] == Decision.KEPT)[0])
    edited = intervene(*tiny, editing, [Replace({committed: wrong}, step=4, sample=0)]).trace
    assert edited.decision[4, 0, committed] == Decision.EDITED


def test_a_commit_that_is_forced_stays(tiny):
    original = the_run(tiny, "block_refinement")
    open_ = int(np.flatnonzero(original.decision[2, 0] == Decision.NOISE)[0])
    trace = intervene(*tiny, original, [ForceAccept([open_], step=2, sample=0)]).trace
    steps = (trace.canvas == 0) & (trace.step_in_canvas > 2)
    assert trace.decision[2, 0, open_] == Decision.ACCEPTED
    assert (trace.decision[steps, 0, open_] == Decision.KEPT).all()
    assert trace.emitted[0, 0, open_] == original.candidate[2, 0, open_]


@pytest.mark.parametrize(
    ("name", "values", "recorded"),
    [
        ("entropy_bound_diffusers", {"entropy_bound": 4.0, "t_max": 1.5}, {"entropy_bound": 4.0}),
        ("block_refinement", {"temperature": 1.4, "threshold": 0.01}, {"temperature": 1.4}),
        ("discrete_ddim", {"temperature": 1.4}, {"temperature": 1.4}),
        ("corrected", {"corrector_k": 9, "corrector_selection": "random"}, {}),
    ],
)
def test_parameters_change_where_they_are_read(tiny, name, values, recorded):
    original = the_run(tiny, name)
    done = intervene(*tiny, original, [ChangeParameters(values, step=2)])
    for array, value in recorded.items():
        np.testing.assert_allclose(getattr(done.trace, array)[2:], value, rtol=1e-6)
        np.testing.assert_array_equal(getattr(done.trace, array)[:2], getattr(original, array)[:2])
    if name == "entropy_bound_diffusers":
        assert done.trace.temperature[2] == pytest.approx(0.4 + 1.1 * 7 / 9)
    if name == "block_refinement":
        assert (done.trace.decision[2] != Decision.NOISE).all()
    if name == "corrected":
        swept = (done.trace.decision == Decision.CORRECTED).sum(axis=2)
        before = done.trace.phase == Phase.CORRECT
        before[2:] = False
        assert (swept[before] == 4).all()
        assert (swept[2:][done.trace.phase[2:] == Phase.CORRECT] == 9).all()
    assert done.trace.facts.settings == original.facts.settings
    assert done.same_until
    assert replay(*tiny, done.trace).identical


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("block_refinement", {"confidence_threshold": 0.1}, "is fixed once a run of 'block_refinement' has begun"),
        ("corrected", {"corrector_steps": 2}, "while it runs, temperature, corrector_k, corrector_selection can be"),
        ("discrete_ddim", {"entropy_bound": 0.1}, "is not a parameter of the sampler 'discrete_ddim'"),
    ],
)
def test_what_a_scheduler_cannot_do(tiny, name, values, message):
    with pytest.raises(SettingError, match=message):
        intervene(*tiny, the_run(tiny, name), [ChangeParameters(values, step=2)])


def test_a_corrector_sweep_decides_nothing(tiny):
    original = the_run(tiny, "corrected")
    assert original.phase[1] == Phase.CORRECT
    with pytest.raises(SettingError, match="step 1 of canvas 0 is a corrector sweep, which decides nothing"):
        intervene(*tiny, original, [ForceAccept([3], step=1)])
    trace = intervene(*tiny, original, [ForceRenoise([3], None, step=1)]).trace
    denoising = (trace.canvas == 0) & (trace.phase == Phase.DENOISE) & (trace.step_in_canvas > 1)
    assert (trace.decision[denoising][:, :, 3] == Decision.NOISE).all()


def test_the_scheduler_and_the_model_are_left_as_they_were(tiny):
    import diffusers

    model, tokenizer = tiny
    scheduler = diffusers.BlockRefinementScheduler()
    pipeline = diffusers.DiffusionGemmaPipeline(model=model, scheduler=scheduler, processor=tokenizer)
    pipeline.set_progress_bar_config(disable=True)
    before = dict(vars(model)), set(vars(scheduler)), dict(scheduler.config)
    around = hooks_of([Pin(1, "7", step=1), ChangeParameters({"threshold": 0.5}, step=1)], pipeline, tokenizer)
    with around(pipeline):
        first = pipeline(PROMPTS[0], gen_length=48, num_inference_steps=4, output_type="seq").sequences
        again = pipeline(PROMPTS[0], gen_length=48, num_inference_steps=4, output_type="seq").sequences
    assert first[0, 1] == again[0, 1] == tokenizer.get_vocab()["7"]
    assert (dict(vars(model)), set(vars(scheduler)), dict(scheduler.config)) == before
