"""A recorded run repeats to the last bit, whoever recorded it; what cannot be repeated, or differs, is said plainly."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

import dgemma_viz as dv
from dgemma_viz.analysis.divergence import Cause
from dgemma_viz.errors import RunFailedError, SettingError, TraceError
from dgemma_viz.labs.interventions import replay
from dgemma_viz.labs.interventions.replay import identical
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from tests.labs.failing_pass import failing_in_pass
from tests.recorders.conftest import CANVAS, VOCABULARY, bound, prompts, small_model, small_tokenizer
from tests.synthetic import synthetic_trace

PROMPT = TASKS["sudoku"].example_prompts[0]
LONG = TASKS["long"].example_prompts[0]
DIFFUSION_GEMMA = [name for name, sampler in SAMPLERS.items() if sampler.noise == "uniform"]


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.fixture(scope="module")
def small():
    return small_model(), small_tokenizer()


def recorded(model, tokenizer, seed=5, batch=2, **arguments):
    """A trace of the user's own call."""
    torch.manual_seed(seed)
    torch.rand(3)
    with dv.record(model, tokenizer) as recording:
        model.generate(**prompts(batch), **arguments)
    return recording.trace


@pytest.mark.parametrize("name", DIFFUSION_GEMMA)
def test_a_run_of_every_sampler_repeats_to_the_last_bit(tiny, name):
    trace = run(*tiny, [PROMPT, LONG], name, {"max_denoising_steps": 8}, seed=3)
    torch.manual_seed(99)
    again = replay(*tiny, trace)
    assert again.same
    assert again.identical
    assert again.divergence is None
    assert again.explain() == f"The replay is the recorded run to the last bit, over {trace.n_steps} steps."
    assert again.trace.facts.task == trace.facts.task
    assert again.trace.facts.settings == trace.facts.settings
    assert again.trace.facts.seed == trace.facts.seed


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"max_new_tokens": 3 * CANVAS, "max_denoising_steps": 7, **bound(0.2)},
        {"t_min": 0.1, "t_max": 1.5, "stability_threshold": 2, "confidence_threshold": 0.1, "eos_token_id": 7},
        {"stability_threshold": None, "max_denoising_steps": 5, "pad_token_id": None},
    ],
)
def test_a_call_of_the_user_s_own_repeats(small, arguments):
    trace = recorded(*small, **arguments)
    model = copy.copy(small[0])
    model.generation_config = copy.deepcopy(model.generation_config)
    model.generation_config.t_max = 0.9  # what the model's own config says today does not matter
    assert replay(model, small[1], trace).identical


def test_a_saved_trace_repeats(tiny, tmp_path):
    trace = run(*tiny, PROMPT, seed=8)
    trace.save(tmp_path / "run.safetensors")
    assert replay(*tiny, dv.load_trace(tmp_path / "run.safetensors")).identical


def test_a_pipeline_of_the_user_s_own_repeats(tiny):
    import diffusers

    model, tokenizer = tiny
    scheduler = diffusers.DiscreteDDIMScheduler(corrector_steps=1, corrector_k=3, corrector_selection_tau=0.5)
    pipeline = diffusers.DiffusionGemmaPipeline(model=model, scheduler=scheduler, processor=tokenizer)
    pipeline.set_progress_bar_config(disable=True)
    call = {"gen_length": 96, "num_inference_steps": 6, "temperature": 0.8, "eos_early_stop": False}
    with dv.record(pipeline, tokenizer) as recording:
        pipeline(PROMPT, **call, generator=torch.Generator().manual_seed(4))
    trace = recording.trace
    assert trace.n_canvases == 2
    assert replay(pipeline, tokenizer, trace).identical
    assert replay(model, tokenizer, trace).identical
    with pytest.raises(SettingError, match="cannot run without its tokenizer"):
        replay(model, None, trace)


def test_a_replay_stops_after_a_step_in_any_canvas(small):
    trace = recorded(*small, max_new_tokens=3 * CANVAS)
    canvas, step = 1, 2
    seen = []
    again = replay(*small, trace, until=(canvas, step), on_step=lambda s: seen.append((s.canvas, s.step_in_canvas)))
    assert seen[-1] == (canvas, step)
    assert again.trace.n_steps == again.original.n_steps == len(seen)
    assert again.identical
    assert again.trace.facts.status == "interrupted"
    np.testing.assert_array_equal(again.trace.noised, trace.noised[: len(seen)])
    whole = replay(*small, trace, until=(trace.n_canvases - 1, int(trace.step_in_canvas[-1])))
    assert whole.identical
    assert whole.trace.n_steps == trace.n_steps


@pytest.mark.parametrize("wrong", [(9, 0), (0, 99), (-1, 0), 3, (0, 1, 2), (0, "1"), None, "end"])
def test_until_is_a_step_of_the_trace(small, wrong):
    trace = recorded(*small, max_denoising_steps=3)
    if wrong is None:
        assert replay(*small, trace, until=wrong).identical
        return
    with pytest.raises(SettingError, match=r"until|there is no (canvas|step)"):
        replay(*small, trace, until=wrong)


def test_an_interrupted_run_repeats_as_far_as_it_came(small):
    def stop(step):
        if step.step_in_canvas == 2:
            raise KeyboardInterrupt

    model, tokenizer = small
    with dv.record(model, tokenizer, on_step=stop) as recording, pytest.raises(KeyboardInterrupt):
        model.generate(**prompts(1))
    again = replay(model, tokenizer, recording.trace)
    assert again.trace.n_steps == 3
    assert again.identical


def test_a_failed_run_repeats_as_far_as_it_came_and_a_replay_that_fails_keeps_its_trace(small):
    model, tokenizer = small
    whole = recorded(model, tokenizer)
    with failing_in_pass(model, 2), dv.record(model, tokenizer) as recording, pytest.raises(ValueError, match="memory"):
        model.generate(**prompts(1))
    assert recording.trace.facts.status == "failed"
    assert replay(model, tokenizer, recording.trace).identical
    with (
        failing_in_pass(model, 2),
        pytest.raises(RunFailedError, match="after 2 steps with ValueError: no memory") as e,
    ):
        replay(model, tokenizer, whole)
    np.testing.assert_array_equal(e.value.trace.noised, whole.noised[:2])


def test_another_model_diverges_and_the_reason_is_named(small):
    trace = recorded(*small)
    older = replace(trace, facts=replace(trace.facts, versions={**trace.facts.versions, "torch": "1.0"}))
    again = replay(small_model(seed=1), small[1], older)
    assert not again.same
    assert not again.identical
    assert (again.divergence.canvas, again.divergence.step) == (0, 0)
    assert again.divergence.cause == Cause.DISTRIBUTION
    told = again.explain()
    assert "diverges from the recorded run in canvas 0, step 0" in told
    assert f"Other versions: torch {torch.__version__} instead of 1.0." in told
    assert "No recorded fact differs" in replay(small_model(seed=1), small[1], trace).explain()


def test_rounding_is_told_from_another_run(small):
    trace = recorded(*small)
    nearly = replace(trace, entropy=trace.entropy * np.float32(1 + 1e-6))
    again = replay(*small, nearly)
    assert again.same
    assert not again.identical
    assert "differ by rounding only" in again.explain()


class Shifted(LogitsProcessor):
    def __call__(self, input_ids, scores):
        del input_ids
        return scores.roll(1, -1)


def test_what_a_trace_lacks_is_said(small, tiny):
    model, tokenizer = small
    trace = recorded(*small, max_denoising_steps=3)
    cases = [
        (replace(trace, generator_state=None), TraceError, "no state of the random generator"),
        (replace(trace, prompt=trace.prompt[:, :0], prompt_mask=trace.prompt_mask[:, :0]), TraceError, "no prompt"),
        (recorded(*small, logits_processor=LogitsProcessorList([Shifted()])), TraceError, r"of its own \(Shifted\)"),
        (
            recorded(*small, decoder_input_ids=torch.full((2, CANVAS), 7)),
            TraceError,
            "was given decoder_input_ids besides",
        ),
        (synthetic_trace(), TraceError, "no state of the random generator"),
        (replace(trace, facts=replace(trace.facts, sampler="MySampler")), TraceError, "the sampler 'MySampler'"),
        (replace(trace, facts=replace(trace.facts, device="cuda:0")), SettingError, "recorded on cuda"),
        ("a trace", TraceError, "not from a str"),
    ]
    for wrong, kind, message in cases:
        with pytest.raises(kind, match=message):
            replay(model, tokenizer, wrong)
    with pytest.raises(SettingError, match=f"vocabulary of {VOCABULARY} tokens, the model has"):
        replay(*tiny, trace)
    other = small_tokenizer()
    other.decode = lambda ids, **_: "".join(f"<{token}>" for token in ids)
    with pytest.raises(SettingError, match="the tokenizer is not the trace's"):
        replay(model, other, trace)


def test_identical_ignores_nothing_but_time(small):
    trace = recorded(*small, max_denoising_steps=3)
    assert identical(trace, replace(trace, wall_time=trace.wall_time + 1))
    assert not identical(trace, replace(trace, emitted=trace.emitted[:, ::-1]))
