"""What cannot be done is refused before anything runs, in words that say what can."""

import math

import pytest
import torch

import dgemma_viz as dv
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.interventions import (
    AddNoise,
    AddVector,
    ChangeParameters,
    CutSelfConditioning,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    InjectMass,
    PatchActivation,
    Pin,
    Replace,
    from_json,
    hooks_of,
    intervene,
)
from dgemma_viz.labs.run import run
from dgemma_viz.tiny import load_tiny
from dgemma_viz.tiny.tasks import TASKS
from tests.recorders.conftest import CANVAS, prompts, small_model, small_tokenizer

HERE = {"step": 2}


@pytest.fixture(scope="module")
def small():
    return small_model(), small_tokenizer()


@pytest.fixture(scope="module")
def original(small):
    torch.manual_seed(3)
    with dv.record(*small) as recording:
        small[0].generate(**prompts(2), max_denoising_steps=4)
    return recording.trace


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pin(-1, 3, **HERE), "position of -1 is out of range"),
        (lambda: Pin(1, 3, step=-2), "step of -2 is out of range"),
        (lambda: Pin(1, 2.5, **HERE), "must be a whole number, not 2.5"),
        (lambda: Pin(1, True, **HERE), "not True"),
        (lambda: Pin(1, 3, step=2, canvas=None), "canvas must be a whole number"),
        (lambda: Replace({}, **HERE), "a mapping from position to token"),
        (lambda: Replace([1, 2], **HERE), "a mapping from position to token"),
        (lambda: Replace({"x": 2}, **HERE), "must be whole numbers"),
        (lambda: ForceAccept([], **HERE), "there are no positions"),
        (lambda: ForceAccept(3, **HERE), "must be a list of whole numbers"),
        (lambda: ForceAccept("12", **HERE), "must be a list of whole numbers"),
        (lambda: ForceRenoise([1, 1], **HERE), "name each once"),
        (lambda: ForceRenoise([1], 0, **HERE), "steps of 0 is out of range"),
        (lambda: AddNoise(1, **HERE), "ambiguous: give a list of positions, or a fraction"),
        (lambda: AddNoise(0.0, **HERE), "of 0 is out of range; choose above 0 and up to 1"),
        (lambda: AddNoise(math.nan, **HERE), "must be a finite number"),
        (lambda: AddNoise(0.5, -1, **HERE), "seed of -1 is out of range"),
        (lambda: DropSelfConditioning(0, **HERE), "steps of 0 is out of range"),
        (lambda: CutSelfConditioning(0, **HERE), "k of 0 is out of range"),
        (lambda: InjectMass(1, 3, 1.5, **HERE), "mass of 1.5 is out of range"),
        (lambda: InjectMass(1, 3, math.nan, **HERE), "must be a finite number"),
        (lambda: AddVector(-1, [1.0], **HERE), "a layer of -1 is out of range"),
        (lambda: AddVector("m", [[1.0]], **HERE), r"of shape \(width,\)"),
        (lambda: AddVector("m", [1.0, math.inf], **HERE), "finite numbers"),
        (lambda: PatchActivation("m", "x", **HERE), "are numbers, not str"),
        (
            lambda: from_json({"kind": "AddVector", "step": 1, "module": "m", "vector": {"float32": "!"}}),
            "cannot be read",
        ),
        (lambda: ChangeParameters({}, **HERE), "a mapping from parameter to value"),
        (lambda: ChangeParameters("t_min", **HERE), "a mapping from parameter to value"),
        (lambda: from_json({"kind": "Explode", "step": 1}), "known kinds are Pin, Replace, AddNoise"),
        (lambda: from_json({"kind": "Pin", "step": 1}), "is no Pin: .*missing"),
        (lambda: from_json(["Pin"]), "is not an intervention"),
    ],
)
def test_mistakes_are_told_when_it_is_made(make, message):
    with pytest.raises(SettingError, match=message):
        make()


@pytest.mark.parametrize(
    ("interventions", "message"),
    [
        ([], "there are no interventions: give at least one"),
        (Pin(1, 3, step=1), "a list, even of one"),
        (["pin"], "'pin' is not an intervention"),
        ([Pin(CANVAS, 3, step=1)], f"position {CANVAS} is outside the canvas, whose positions run from 0 to 15"),
        ([Replace({3: 64}, step=1)], "there is no token 64: the vocabulary has 64"),
        ([Replace({3: "ab"}, step=1)], r"'ab' is not one token but 2: 'a', 'b'. Name one for each position"),
        ([Replace({3: ""}, step=1)], "the tokenizer does not know ''"),
        ([Replace({3: 5}, step=4)], "there is no step 4 in canvas 0 of this run, which ran steps 0 to 3"),
        ([Replace({3: 5}, canvas=1, step=0)], "there is no canvas 1 in this run, which has 1"),
        ([Replace({3: 5}, step=1, sample=2)], "there is no sample 2 in a batch of 2"),
        ([ChangeParameters({"threshold": 0.5}, step=1)], "threshold is not a parameter of the sampler 'entropy_bound'"),
        ([ChangeParameters({"max_denoising_steps": 9}, step=1)], "is fixed once a run of 'entropy_bound' has begun"),
        ([ChangeParameters({"entropy_bound": -1.0}, step=1)], "entropy_bound of -1 is out of range"),
        ([InjectMass(CANVAS, 3, 0.5, step=1)], f"position {CANVAS} is outside the canvas"),
        ([InjectMass(1, "ab", 0.5, step=1)], "'ab' is not one token but 2"),
        ([AddVector(9, [1.0], step=1)], r"no module 'model.decoder.layers.9'; near are model.decoder.layers"),
        ([PatchActivation(0, [1.0], positions=[CANVAS], step=1)], f"position {CANVAS} is outside the canvas"),
        ([ChangeParameters({"t_min": 0.9}, step=1)], "t_max of 0.8 must be above t_min of 0.9"),
    ],
)
def test_mistakes_are_told_before_anything_runs(small, original, interventions, message, monkeypatch):
    model, tokenizer = small
    monkeypatch.setattr(model, "generate", None)
    with pytest.raises(SettingError, match=message):
        intervene(model, tokenizer, original, interventions)


@pytest.mark.parametrize(
    "two",
    [
        (Pin(3, 5, step=1), Pin(3, 6, step=2)),
        (Pin(3, 5, step=1), Replace({3: 6}, step=2)),
        (Pin(3, 5, step=0), ForceRenoise([3], step=2)),
        (Pin(3, 5, step=0), AddNoise([3], step=3)),
        (Replace({3: 5, 4: 1}, step=1), Replace({3: 6}, step=1)),
        (Replace({3: 5}, step=1, sample=0), Replace({3: 6}, step=1)),
        (AddNoise([3], step=1), AddNoise([3], 1, step=1)),
        (ForceAccept([1, 2], step=1), ForceRenoise([2, 3], 2, step=0)),
        (ForceAccept([1], None, step=0), ForceRenoise([1], step=3)),
        (ChangeParameters({"t_max": 1.0}, step=1), ChangeParameters({"t_max": 2.0}, step=1)),
        (CutSelfConditioning(1, step=0), CutSelfConditioning(2, step=3)),
        (InjectMass(3, 5, 0.5, step=1), InjectMass(3, 6, 0.5, step=1)),
    ],
)
def test_two_that_contradict_each_other(small, original, two):
    for pair in (two, two[::-1]):
        with pytest.raises(SettingError, match="given two different values"):
            intervene(*small, original, pair)


@pytest.mark.parametrize(
    "two",
    [
        (Pin(3, 5, step=1), Replace({3: 6}, step=0)),
        (Pin(3, 5, step=1), ForceAccept([3], step=2)),
        (Pin(3, 5, step=1), AddNoise(1.0, step=2)),
        (Replace({3: 5}, step=1), Replace({3: 5}, step=1)),
        (Replace({3: 5}, step=1, sample=0), Replace({3: 6}, step=1, sample=1)),
        (ForceAccept([1], 2, step=0), ForceRenoise([1], step=2)),
        (ChangeParameters({"t_max": 1.0}, step=1), ChangeParameters({"t_max": 2.0}, step=2)),
    ],
)
def test_two_that_go_together(small, original, two):
    done = intervene(*small, original, two)
    assert done.same_until
    noised = done.trace.noised
    for one in two:
        for position, token in one.tokens_for(0, 0, CANVAS, 64).items() if isinstance(one, Pin | Replace) else ():
            if one.sample in (None, 0):
                assert noised[one.step, 0, position] == token


def test_a_sample_that_had_finished():
    tiny = load_tiny()
    trace = run(*tiny, [TASKS[name].example_prompts[0] for name in ("addition", "tale")], seed=7)
    ran = [trace.canvas_run(0, sample).n_steps for sample in (0, 1)]
    assert ran[0] < ran[1]
    last = ran[1] - 1
    with pytest.raises(SettingError, match=f"sample 0 had finished canvas 0 before step {last}, after {ran[0]} steps"):
        intervene(*tiny, trace, [Replace({1: 5}, step=last, sample=0)])
    assert intervene(*tiny, trace, [Replace({1: 5}, step=last, sample=1)]).same_until


def test_a_model_without_a_canvas(original):
    for again in (dv.interventions.replay, lambda *given: intervene(*given, [Replace({1: 5}, step=1)])):
        with pytest.raises(SettingError, match="a ModernBertForMaskedLM is no DiffusionGemma: load the model that was"):
            again(*dv.load_tiny("masked"), original)


def test_without_a_tokenizer_ids_only(small):
    model, _ = small
    torch.manual_seed(3)
    with dv.record(model) as recording:
        model.generate(**prompts(1), max_denoising_steps=3)
    assert intervene(model, None, recording.trace, [Replace({1: 5}, step=1)]).trace.noised[1, 0, 1] == 5
    with pytest.raises(SettingError, match="give the token's id"):
        intervene(model, None, recording.trace, [Replace({1: "a"}, step=1)])


def test_a_trace_that_says_something_illegible(small, original):
    from dataclasses import replace

    facts = replace(original.facts, task={"interventions": [{"kind": "Explode"}]})
    with pytest.raises(TraceError, match="not legibly"):
        intervene(*small, replace(original, facts=facts), [Replace({1: 5}, step=1)])


def test_around_a_fresh_run():
    model, tokenizer = load_tiny()
    prompt = TASKS["addition"].example_prompts[0]
    with pytest.raises(SettingError, match="position 99 is outside the canvas"):
        hooks_of([Pin(99, "1", step=0)], model, tokenizer)
    with pytest.raises(SettingError, match="there is no sample 1 in a batch of 1"):
        run(model, tokenizer, prompt, hooks=hooks_of([Pin(9, "1", step=0, sample=1)], model, tokenizer))
    with pytest.raises(SettingError, match="know DiffusionGemma only; a Linear has no canvas"):
        hooks_of([Pin(9, "1", step=0)], torch.nn.Linear(1, 1), tokenizer)
    with pytest.raises(SettingError, match="interventions in a Linear are not possible"):
        hooks_of([Pin(9, "1", step=0)], model, tokenizer)(torch.nn.Linear(1, 1))
