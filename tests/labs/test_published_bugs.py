"""Each published bug, planted into the unmodified ``generate()`` and recorded, is named at the step at which it acts.

The healthy run of the same seed tells where that is: the broken one is the same until then.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import dgemma_viz as dv
from benchmarks.conformance import BATCH, NAMED_BY, SETUPS, STEPS, UNSETTLED, draw, record
from dgemma_viz.conformance import check_conformance
from dgemma_viz.labs.sabotage.published_bugs import FAULTS, FIRST_STEP

BY_NAME = {fault.name: fault for fault in FAULTS}
PROMPTS = ["sudoku 234_/_1__/__2_/3__4=", "add 12+30=", "sort 5 3 4="]


@pytest.fixture(scope="module")
def tiny():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def runs(tiny):
    """Healthy and broken run of each fault, on prompts on which it makes a difference."""
    found = {}

    def of(name, seed=0):
        if (name, seed) not in found:
            prompts = draw(np.random.default_rng(seed), BATCH)
            settings = STEPS | UNSETTLED.get(name, {})
            healthy = record(*tiny, prompts, seed=seed, **settings)
            found[name, seed] = healthy, record(*tiny, prompts, seed=seed, fault=BY_NAME[name], **settings)
        return found[name, seed]

    return of


def first_difference(first, second, name):
    """Canvas and step at which two runs part."""
    one, other = getattr(first, name), getattr(second, name)
    shared = min(len(one), len(other))
    differs = (one[:shared] != other[:shared]).reshape(shared, -1).any(axis=1)
    row = int(np.argmax(differs)) if differs.any() else shared
    longer = first if len(one) > row else second
    return int(longer.canvas[row]), int(longer.step_in_canvas[row])


def first_breach(trace, name):
    report = check_conformance(trace)
    violation = next((found for found in report.violations if found.rule in NAMED_BY[name]), None)
    assert violation is not None, str(report)
    return violation


def test_names_are_unique_and_sources_are_given():
    assert set(BY_NAME) == set(NAMED_BY)
    assert len(BY_NAME) == len(FAULTS)
    assert all(fault.title and fault.source and fault.description.endswith((".", ".)")) for fault in FAULTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_model_is_left_as_it_was(fault, tiny):
    model, tokenizer = tiny
    attributes, config = dict(vars(model)), model.generation_config.to_dict()
    clean = record(model, tokenizer, PROMPTS, seed=1, **STEPS)
    record(model, tokenizer, PROMPTS, seed=1, fault=fault, **STEPS)
    assert vars(model) == attributes
    with pytest.raises(KeyError), fault.plant(model):
        raise KeyError
    assert vars(model) == attributes
    assert model.generation_config.to_dict() == config
    again = record(model, tokenizer, PROMPTS, seed=1, **STEPS)
    assert all(np.array_equal(getattr(clean, name), getattr(again, name)) for name in ("noised", "entropy", "emitted"))


@pytest.mark.parametrize("name", ["stability-off-by-one", "raw-confidence", "never-stable"])
def test_a_broken_stop_rule_is_named_where_runs_part(runs, name):
    for seed in range(20):
        healthy, broken = runs(name, seed)
        if not np.array_equal(healthy.finished, broken.finished):
            break
    violation = first_breach(broken, name)
    where = first_difference(healthy, broken, "finished")
    assert (violation.canvas, violation.step) == where
    assert violation.found == ("stopped" if name == "stability-off-by-one" else "went on")
    assert check_conformance(broken).violations[0] == violation


def test_an_argmax_canvas_is_named_after_five_copies(runs):
    for seed in range(20):
        healthy, broken = runs("argmax-in-canvas", seed)
        following = (broken.canvas[:-1] == 0) & (broken.canvas[1:] == 0)
        re_noised = ~broken.accepted[:-1][following] & broken.active[:-1][following][..., None]
        if re_noised[0].sum(axis=-1).max() >= 5:
            break
    violation = check_conformance(broken).first("re-noised-random")
    copies, judged = map(int, violation.found.split(" of "))
    assert copies == judged >= 5
    canvas, step = first_difference(healthy, broken, "noised")
    assert (violation.canvas, violation.step) == (canvas, step - 1) == (0, 0), "the step that wrote what the next reads"
    assert "the draft" in violation.what


def test_finished_rows_that_change_are_named_where_they_do(runs):
    for seed in range(20):
        healthy, broken = runs("finished-rows-change", seed)
        same_canvas = (broken.canvas[1:] == broken.canvas[:-1])[:, None, None]
        drafts = ~broken.active[1:, :, None] & (broken.draft[1:] != broken.draft[:-1])
        canvases = ~broken.active[:-1, :, None] & (broken.noised[1:] != broken.noised[:-1])
        changed = same_canvas & (drafts | canvases)
        if changed.any():
            break
    violation = check_conformance(broken).violations[0]
    assert violation.rule == "finished-rows-frozen"
    row, sample, position = np.argwhere(changed)[0]
    assert (violation.canvas, violation.step) == (broken.canvas[row + 1], broken.step_in_canvas[row + 1])
    assert (violation.sample, violation.position) == (sample, position)
    assert check_conformance(healthy).ok


def test_a_stale_sampler_is_named_in_its_first_step(runs):
    violation = first_breach(runs("stale-sampler")[1], "stale-sampler")
    assert (violation.canvas, violation.step) == (0, 0)
    assert (violation.found, violation.expected) == ("5 nats", "0.1 nats")


def test_rows_used_again_are_named_where_they_begin(runs):
    healthy, broken = runs("row-used-again")
    violation = first_breach(broken, "row-used-again")
    assert (violation.canvas, violation.step, violation.sample) == (0, 0, 1)
    assert check_conformance(broken).violations[0] == violation
    assert not check_conformance(healthy).first("rows-begin-apart")


def test_nan_hidden_states_are_named_in_the_step_and_at_every_position(runs):
    _, broken = runs("nan-hidden-state")
    report = check_conformance(broken)
    for rule in ("numbers-finite", "canvas-not-padding"):
        violation = report.first(rule)
        assert (violation.canvas, violation.step) == (0, FIRST_STEP)
    assert report.first("numbers-finite").position == 0
    assert (broken.emitted == broken.facts.pad_token_id).all()
    assert (broken.confidence[0] > 0).all()
    assert {v.rule for v in report.violations} <= {"numbers-finite", "canvas-not-padding"}, "one cause, no other blame"


def test_raw_confidence_is_also_seen_in_a_log_of_it(tiny):
    """A runtime that logs entropy and confidence of the raw logits beside the alternatives it sampled from."""
    model, tokenizer = tiny
    raw = []
    hook = model.lm_head.register_forward_hook(lambda _module, _inputs, output: raw.append(output.detach().clone()))
    try:
        trace = record(model, tokenizer, draw(np.random.default_rng(0), 1, "tale"), seed=0, **STEPS)
    finally:
        hook.remove()
    cap = model.config.text_config.final_logit_softcapping
    logits = torch.stack([cap * torch.tanh(step / cap) if cap else step for step in raw[-trace.n_steps :]])
    distribution = torch.distributions.Categorical(logits=logits)
    processed = torch.distributions.Categorical(
        logits=logits / torch.from_numpy(trace.temperature.copy())[:, None, None, None]
    )
    np.testing.assert_allclose(processed.entropy(), trace.entropy, atol=1e-4)
    logged = replace(trace, entropy=distribution.entropy().numpy(), confidence=distribution.probs.amax(-1).numpy())
    report = check_conformance(logged)
    for rule in ("confidence-is-top-1", "entropy-fits-probabilities"):
        violation = report.first(rule)
        assert (violation.canvas, violation.step) == (0, 0)
    assert check_conformance(trace).ok


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.name)
def test_healthy_runs_of_the_benchmark_are_not_accused(setup, tiny):
    rng = np.random.default_rng(8)
    for seed in range(3):
        report = check_conformance(record(*tiny, draw(rng, setup.batch), seed=seed, **setup.arguments))
        assert report.ok, str(report)
