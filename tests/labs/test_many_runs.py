"""Many runs with the bundled model: same as single ones, and nothing lost."""

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import PromptError, SettingError
from dgemma_viz.labs.many_runs import run_many
from dgemma_viz.labs.run import run
from dgemma_viz.trace import ARRAYS
from tests.hurried_runs import HASTE, SEEDS, grid_prompts, hurried_runs

FAST = {"parameters": {"max_denoising_steps": 3}}


@pytest.fixture(scope="module")
def tiny():
    return dv.load_tiny()


def test_every_prompt_with_every_seed():
    runs = hurried_runs()
    assert [(run.prompt, run.seed) for run in runs] == [(p, s) for p in grid_prompts() for s in SEEDS]
    assert {run.task for run in runs} == {"grid"}
    assert not runs.problems
    assert {run.right for run in runs} == {True, False}


def test_the_same_runs_as_single_ones(tiny):
    one = hurried_runs()[4]
    alone = run(*tiny, one.prompt, parameters=HASTE, seed=one.seed)
    for name in ARRAYS:
        if name != "wall_time":
            np.testing.assert_array_equal(getattr(one.trace, name), getattr(alone, name))


def test_progress_and_settings(tiny):
    told = []
    runs = run_many(*tiny, grid_prompts()[:1], [5, 6], **FAST, progress=lambda done, total: told.append((done, total)))
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert [run.trace.facts.settings["max_denoising_steps"] for run in runs] == [3, 3]


def test_references_for_all_or_by_prompt(tiny):
    first, second = grid_prompts()[:2]
    assert run_many(*tiny, [first], [0], **FAST, reference=lambda _prompt, _text: True)[0].right
    runs = run_many(*tiny, [first, second], [0], **FAST, reference={first: "nonsense"})
    assert runs[0].judgement.reference == "nonsense"
    assert runs[1].judgement.reference != "nonsense"
    assert run_many(*tiny, ["grid Mia"], [0], **FAST)[0].judgement is None


def test_a_prompt_that_cannot_be_run_does_not_cost_the_others(tiny):
    prompt = grid_prompts()[0]
    runs = run_many(*tiny, [" ", prompt], [0, 1], **FAST)
    assert [run.prompt for run in runs] == [prompt, prompt]
    assert [(problem.prompt, problem.seed) for problem in runs.problems] == [(" ", 0), (" ", 1)]
    assert "the prompt is empty" in runs.problems[0].what
    assert "2 problems" in repr(runs)


def test_a_run_that_fails_half_way_is_kept_and_the_next_one_follows(tiny, monkeypatch):
    model, tokenizer = tiny
    forward, calls = model.model.decoder.forward, []

    def failing(*args, **kwargs):
        calls.append(None)
        if len(calls) == 3:
            raise RuntimeError("out of memory")
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.model.decoder, "forward", failing)
    runs = run_many(model, tokenizer, grid_prompts()[:1], SEEDS, parameters={"max_denoising_steps": 6})
    assert [run.trace.facts.status for run in runs] == ["failed", "complete", "complete"]
    assert runs[0].trace.n_steps == 2
    assert runs[0].right is None
    assert "out of memory" in runs.problems[0].what


def test_a_reference_that_fails_does_not_cost_the_run(tiny):
    runs = run_many(*tiny, grid_prompts()[:1], [0], **FAST, reference=lambda _prompt, text: int(text) > 0)
    assert runs[0].judgement is None
    assert runs[0].trace.n_steps
    assert "ValueError" in runs.problems[0].what


def test_an_interrupt_keeps_what_is_there(tiny):
    def stop(done, _total):
        if done == 2:
            raise KeyboardInterrupt

    assert len(run_many(*tiny, grid_prompts(), [0], **FAST, progress=stop)) == 2


def test_an_interrupt_within_a_run_keeps_its_steps(tiny, monkeypatch):
    model, tokenizer = tiny
    forward, calls = model.model.decoder.forward, []

    def interrupted(*args, **kwargs):
        calls.append(None)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.model.decoder, "forward", interrupted)
    runs = run_many(model, tokenizer, grid_prompts()[:1], SEEDS, parameters={"max_denoising_steps": 3})
    assert [run.trace.facts.status for run in runs] == ["complete", "interrupted"]
    assert runs[1].trace.n_steps == 2


def test_if_nothing_runs_the_reason_is_raised(tiny):
    with pytest.raises(PromptError, match="empty"):
        run_many(*tiny, [" "], [0, 1])


def test_a_seed_out_of_range_is_refused_before_anything_runs(tiny):
    told = []
    with pytest.raises(SettingError, match="seed of -1"):
        run_many(*tiny, grid_prompts()[:1], [0, -1], progress=lambda *counts: told.append(counts))
    assert not told


def test_nothing_to_run(tiny):
    assert len(run_many(*tiny, [], [0])) == 0
