"""Every sampler in the table: its parameters are judged before anything runs, and it runs the library's own loop."""

import math
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.errors import MissingDependencyError, PromptError, RunFailedError, SettingError
from dgemma_viz.labs.run import run
from dgemma_viz.labs.same_seed import same_seed
from dgemma_viz.labs.samplers import DENOISERS, SAMPLERS, Parameter, sampler_named
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS

PROMPT = TASKS["sudoku"].example_prompts[0]


@pytest.fixture(scope="module")
def tiny():
    return load_tiny()


@pytest.fixture(scope="module")
def models(tiny):
    """Model and tokenizer by kind of noise."""
    return {"uniform": tiny, "mask": load_tiny("masked")}


def test_the_defaults_are_the_library_s():
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import DiffusionGemmaGenerationConfig

    published = DiffusionGemmaGenerationConfig()._get_default_generation_params()
    ours = sampler_named("entropy_bound").values()
    assert ours["entropy_bound"] == published.pop("sampler_config").entropy_bound
    published.pop("max_new_tokens")
    assert {name: ours[name] for name in published} == published


@pytest.mark.parametrize("name", ["entropy_bound_diffusers", "block_refinement", "discrete_ddim"])
def test_the_defaults_are_the_scheduler_s(name):
    import inspect

    import diffusers

    sampler = sampler_named(name)
    scheduler = {
        "entropy_bound_diffusers": diffusers.EntropyBoundScheduler,
        "block_refinement": diffusers.BlockRefinementScheduler,
        "discrete_ddim": diffusers.DiscreteDDIMScheduler,
    }[name]
    call = inspect.signature(diffusers.DiffusionGemmaPipeline.__call__).parameters
    for parameter in sampler.parameters:
        source = call if parameter.name in call else inspect.signature(scheduler).parameters
        upstream = "num_inference_steps" if parameter.name == "max_denoising_steps" else parameter.name
        source = call if upstream in call else source
        assert source[upstream].default == parameter.default, parameter.name


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_default_is_allowed(name):
    sampler = sampler_named(name)
    assert sampler.checked(sampler.values()) == sampler.values()
    assert len({parameter.name for parameter in sampler.parameters}) == len(sampler.parameters)


@given(st.one_of(st.floats(), st.integers(), st.text(), st.none(), st.booleans(), st.just(np.float32(0.5))))
def test_a_checked_value_is_in_range_or_refused(value):
    for sampler in SAMPLERS.values():
        for parameter in sampler.parameters:
            with suppress(SettingError):
                checked = parameter.checked(value)
                if checked is None:
                    assert parameter.optional
                elif parameter.kind == "choice":
                    assert checked in parameter.choices
                else:
                    assert type(checked) is (int if parameter.kind == "whole" else float)
                    assert parameter.least <= checked <= parameter.most


@pytest.mark.parametrize(
    ("sampler", "parameters", "message"),
    [
        ("no_such", {}, "there is no sampler 'no_such'; choose one of entropy_bound"),
        ("entropy_bound", {"threshold": 0.5}, "has no parameter 'threshold'; it has max_denoising_steps"),
        ("entropy_bound", {"max_denoising_steps": 0}, "max_denoising_steps of 0 is out of range; choose 1 to 1000"),
        ("entropy_bound", {"max_denoising_steps": 2.5}, "must be a whole number, not 2.5"),
        ("entropy_bound", {"entropy_bound": math.nan}, "entropy_bound must be a finite number"),
        ("entropy_bound", {"t_max": 0.3}, "t_max of 0.3 must be above t_min of 0.4"),
        ("discrete_ddim", {"corrector_selection": "best"}, "choose one of lowest_log_margin"),
        ("block_refinement", {"editing_threshold": 2}, "editing_threshold of 2 is out of range"),
    ],
)
def test_mistakes_are_told_before_anything_runs(sampler, parameters, message):
    with pytest.raises(SettingError, match=message):
        run(None, None, PROMPT, sampler, parameters)


@pytest.mark.parametrize(("name", "noise"), [("llada2", "uniform"), ("entropy_bound", "mask")])
def test_a_model_of_the_other_kind_is_refused(models, name, noise):
    with pytest.raises(SettingError, match=rf"the sampler '{name}' needs .*load_tiny"):
        run(*models[noise], PROMPT, name)


def test_the_defaults_are_the_masked_pipeline_s():
    import inspect

    import diffusers

    call = inspect.signature(diffusers.LLaDA2Pipeline.__call__).parameters
    scheduler = inspect.signature(diffusers.BlockRefinementScheduler).parameters
    ours = sampler_named("llada2").values()
    assert ours.pop("max_denoising_steps") == call["num_inference_steps"].default
    assert ours.pop("block_length") == scheduler["block_length"].default
    assert ours == {name: call[name].default for name in ours}


def test_a_masked_run_fills_as_many_blocks_as_asked_for(models):
    trace = run(*models["mask"], PROMPT, "llada2", {"block_length": 8}, max_new_tokens=20)
    assert trace.canvas_length == 8
    assert len(trace.output_ids()) <= 20
    assert TASKS["sudoku"].check(PROMPT, trace.output_text())


def test_a_missing_library_says_what_to_install(installed):
    installed(diffusers=None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'dgemma-viz\[diffusers\]'"):
        run(None, None, PROMPT, "block_refinement")


@pytest.mark.parametrize("prompts", ["", [], "sudoku ☃", ["add 1 + 1 =", " "]])
def test_prompts_are_judged(tiny, prompts):
    with pytest.raises(PromptError):
        run(*tiny, prompts)


@pytest.mark.parametrize(
    ("seed", "message"), [(-1, "a seed of -1 is out of range"), (2**64, "out of range"), (1.5, "whole number, not 1.5")]
)
def test_seeds_are_judged(tiny, seed, message):
    for attempt in (run, lambda *given, seed: same_seed(*given, {"a": {}}, seed=seed)):
        with pytest.raises(SettingError, match=message):
            attempt(*tiny, PROMPT, seed=seed)


@pytest.mark.parametrize("name", DENOISERS)
def test_every_sampler_solves_an_easy_prompt(models, name):
    tiny = models[SAMPLERS[name].noise]
    trace = run(*tiny, PROMPT, name, {"max_denoising_steps": 12}, seed=3)
    assert TASKS["sudoku"].check(PROMPT, trace.output_text())
    assert trace.facts.task.sampler == name
    assert trace.facts.task.reference == trace.output_text()
    assert trace.facts.settings["max_denoising_steps"] == 12
    again = run(*tiny, PROMPT, name, {"max_denoising_steps": 12}, seed=3)
    np.testing.assert_array_equal(again.noised, trace.noised)
    other = run(*tiny, PROMPT, name, {"max_denoising_steps": 12}, seed=4)
    only_masks = SAMPLERS[name].noise == "mask"
    assert (other.noised[0] == trace.noised[0]).all() == only_masks


@pytest.mark.parametrize("name", DENOISERS)
def test_a_batch_of_prompts_of_different_length(models, name):
    tiny = models[SAMPLERS[name].noise]
    prompts = [TASKS["addition"].example_prompts[0], PROMPT]
    trace = run(*tiny, prompts, name, seed=1)
    assert trace.n_samples == 2
    assert [trace.prompt_text(sample).removeprefix("<bos>") for sample in (0, 1)] == prompts
    assert TASKS["addition"].check(prompts[0], trace.output_text(0))
    assert TASKS["sudoku"].check(prompts[1], trace.output_text(1))
    assert trace.facts.task.prompts == tuple(prompts)


def test_adaptive_stopping_can_be_switched_off(tiny):
    settings = {"max_denoising_steps": 7, "confidence_threshold": None}
    assert run(*tiny, PROMPT, parameters=settings).n_steps == 7
    assert run(*tiny, PROMPT, "block_refinement", settings).n_steps == 7


def test_a_run_begins_from_a_recorded_state(tiny):
    torch.manual_seed(5)
    torch.rand(7)
    state = torch.get_rng_state().numpy().copy()
    first = run(*tiny, PROMPT, generator_state=state)
    second = run(*tiny, PROMPT, generator_state=first.generator_state, seed=99)
    np.testing.assert_array_equal(first.generator_state, state)
    np.testing.assert_array_equal(first.candidate, second.candidate)


def test_given_ids_are_the_prompt_s(tiny):
    from dgemma_viz.labs.prompts import encode

    given_ids = run(*tiny, encode(tiny[1], PROMPT), seed=2)
    np.testing.assert_array_equal(given_ids.noised, run(*tiny, PROMPT, seed=2).noised)
    assert given_ids.facts.task.prompt == PROMPT


def test_an_interrupt_gives_the_trace_so_far_and_a_failure_holds_it(tiny):
    def stop(step):
        if step.step_in_canvas == 1:
            raise KeyboardInterrupt

    settings = {"max_denoising_steps": 9, "confidence_threshold": None}
    trace = run(*tiny, PROMPT, parameters=settings, on_step=stop)
    assert (trace.n_steps, trace.facts.status) == (2, "interrupted")
    assert trace.facts.task.prompt == PROMPT

    model, tokenizer = tiny
    calls = []

    def fail(_module, _args):
        calls.append(1)
        if len(calls) == 3:
            raise ValueError("out of memory, say")

    hook = model.model.decoder.register_forward_pre_hook(fail)
    try:
        with pytest.raises(RunFailedError, match="after 2 steps with ValueError: out of memory, say") as failed:
            run(model, tokenizer, PROMPT, parameters=settings)
    finally:
        hook.remove()
    assert failed.value.trace.n_steps == 2
    assert failed.value.trace.facts.task.parameters == settings


def test_what_is_entered_around_a_run_is_left_again(tiny):
    from contextlib import contextmanager

    seen = []

    @contextmanager
    def around(recordable):
        seen.append(type(recordable).__name__)
        yield
        seen.append("left")

    run(*tiny, PROMPT, hooks=around)
    assert seen == ["DiffusionGemmaForBlockDiffusion", "left"]


def test_an_optional_parameter_says_so():
    with pytest.raises(SettingError, match="must be a finite number"):
        Parameter("x", "X", "", default=None, optional=True).checked("high")
