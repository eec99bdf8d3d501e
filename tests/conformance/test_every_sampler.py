"""Healthy runs of every sampler are accused of nothing, and each sampler's own rules name what breaks them."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis import Severity
from dgemma_viz.labs.interventions import (
    AddNoise,
    ChangeParameters,
    DropSelfConditioning,
    ForceAccept,
    ForceRenoise,
    Pin,
    Replace,
    intervene,
)
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace.decision import Decision

PROMPTS = [TASKS[name].example_prompts[1] for name in ("sudoku", "addition", "sort")]
UNSTOPPED = {"confidence_threshold": None, "max_denoising_steps": 8}
RUNS = {
    "entropy bound": ("entropy_bound", {}),
    "entropy bound of diffusers": ("entropy_bound_diffusers", {}),
    "entropy bound of diffusers, every step": ("entropy_bound_diffusers", UNSTOPPED),
    "block refinement": ("block_refinement", {}),
    "block refinement, every step": ("block_refinement", UNSTOPPED | {"temperature": 0.7}),
    "block refinement with editing": ("block_refinement", UNSTOPPED | {"editing_threshold": 0.6, "temperature": 0.7}),
    "block refinement, cooled": ("block_refinement", {"temperature": 0.5}),
    "discrete DDIM": ("discrete_ddim", {}),
    "discrete DDIM, cooled": ("discrete_ddim", {"temperature": 0.5}),
    "discrete DDIM, heated": ("discrete_ddim", {"temperature": 1.5}),
    "discrete DDIM, every step": ("discrete_ddim", UNSTOPPED),
    "discrete DDIM with corrector": (
        "discrete_ddim",
        {"corrector_steps": 2, "corrector_k": 4, "max_denoising_steps": 10, "temperature": 0.5},
    ),
    "mask tokens": ("llada2", {}),
    "mask tokens, a few a step": ("llada2", {"threshold": 1.0, "max_denoising_steps": 8}),
    "mask tokens, small blocks": ("llada2", {"block_length": 8, "temperature": 0.5}),
}
INTERVENTIONS = {
    "pin": Pin(1, "4", step=2),
    "replace": Replace({1: "4"}, step=2),
    "force to accept": ForceAccept([40], step=1),
    "force to re-noise": ForceRenoise([0, 1], step=2),
    "noise": AddNoise(0.3, step=2),
    "forget": DropSelfConditioning(step=2),
    "parameters": ChangeParameters({"entropy_bound": 1.0, "t_min": 0.2}, step=2),
}


@pytest.fixture(scope="module")
def models():
    return {"uniform": dv.load_tiny(), "mask": dv.load_tiny("masked")}


def run_named(models, name, prompts, seed=0):
    sampler, parameters = RUNS[name]
    return run(*models[SAMPLERS[sampler].noise], prompts, sampler, parameters, seed=seed)


@pytest.mark.parametrize("name", RUNS)
def test_healthy_runs_are_accused_of_nothing(models, name):
    traces = [run_named(models, name, prompt, seed) for seed, prompt in enumerate(PROMPTS)]
    traces.append(run_named(models, name, PROMPTS, seed=7))
    for trace in traces:
        report = check_conformance(trace)
        assert report.ok, str(report)
        errors = [one for one in dv.diagnose(trace).findings if one.severity is Severity.ERROR]
        assert {one.rule for one in errors} <= {"wrong-answer", "accepted-wrong-and-stuck"}


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_what_was_changed_on_purpose_is_no_fault(models, name):
    original = run(*models["uniform"], PROMPTS[0], "entropy_bound", UNSTOPPED)
    trace = intervene(*models["uniform"], original, [INTERVENTIONS[name]]).trace
    report = check_conformance(trace)
    assert report.ok, str(report)
    assert {one.rule for one in dv.diagnose(trace).findings} <= {
        "wrong-answer", "temperature-schedule-shifted", "oscillation", "right-then-lost", "accepted-wrong-and-stuck"
    }  # fmt: skip


def test_what_was_not_checked_for_an_intervention_says_so(models):
    original = run(*models["uniform"], PROMPTS[0], "entropy_bound", UNSTOPPED)
    trace = intervene(*models["uniform"], original, [INTERVENTIONS["noise"]]).trace
    reasons = dict(check_conformance(trace).not_checked)
    assert reasons["accepted-kept"] == "the run was changed on purpose, by 'AddNoise'"


@pytest.fixture(scope="module")
def sticky(models):
    return run_named(models, "block refinement with editing", PROMPTS[0], seed=2)


@pytest.fixture(scope="module")
def masked(models):
    return run_named(models, "mask tokens, a few a step", PROMPTS[0])


def first(report, rule):
    found = report.first(rule)
    assert found is not None, str(report)
    return found.step, found.position


def with_decision(trace, place, value):
    decision = np.array(trace.decision)
    decision[place] = value
    return replace(trace, decision=decision, accepted=decision != Decision.NOISE)


def test_a_commit_that_is_taken_back_is_named(sticky):
    step, position = 3, int(np.flatnonzero(sticky.decision[2, 0])[0])
    broken = with_decision(sticky, (step, 0, position), Decision.NOISE)
    assert first(check_conformance(broken), "commits-stay") == (step, position)


def test_an_edit_below_the_threshold_is_named(sticky):
    unsure = np.array(sticky.candidate_probability)
    position = int(np.flatnonzero(sticky.decision[4, 0] == Decision.KEPT)[0])
    unsure[4, 0, position] = 0.1
    broken = with_decision(replace(sticky, candidate_probability=unsure), (4, 0, position), Decision.EDITED)
    assert first(check_conformance(broken), "edits-above-threshold") == (4, position)


def test_commits_that_no_threshold_and_no_quota_allow_are_named(sticky):
    unsure = np.array(sticky.candidate_probability)
    unsure[0] = 0.2
    broken = with_decision(replace(sticky, candidate_probability=unsure), 0, Decision.ACCEPTED)
    assert first(check_conformance(broken), "commits-above-threshold")[0] == 0


def test_a_kept_token_that_changes_is_named(sticky):
    kept = np.argwhere(sticky.decision[:-1, 0] == Decision.KEPT)
    step, position = kept[0].tolist()
    noised = np.array(sticky.noised)
    noised[step + 1, 0, position] = (noised[step, 0, position] + 1) % sticky.facts.vocab_size
    report = check_conformance(replace(sticky, noised=noised))
    assert first(report, "accepted-kept") == (step, position)
    assert "token kept" in report.first("accepted-kept").what


def test_a_mask_that_turns_into_a_token_unasked_is_named(masked):
    step, position = np.argwhere(masked.decision[:-1, 0] == Decision.NOISE)[0].tolist()
    noised = np.array(masked.noised)
    noised[step + 1, 0, position] = 5
    assert first(check_conformance(replace(masked, noised=noised)), "undecided-masked") == (step, position)


def test_a_canvas_that_is_not_what_was_left_is_named(masked):
    emitted = np.array(masked.emitted)
    begin = masked.output_span[0]
    emitted[0, 0, begin] += 1
    assert first(check_conformance(replace(masked, emitted=emitted)), "emitted-is-last-canvas") == (None, begin)


@pytest.mark.parametrize(("name", "stopped"), [("discrete DDIM, cooled", True), ("discrete DDIM, heated", False)])
def test_a_stop_that_no_entropy_before_temperature_allows_is_named(models, name, stopped):
    """These schedulers stop by the entropy before temperature, at least (cooled) or at most (heated) theirs."""
    trace = run_named(models, name, PROMPTS[1])
    entropy = np.full_like(trace.entropy, 1.0 if stopped else 1e-6)
    finished = np.zeros_like(trace.finished)
    finished[-1] = stopped
    broken = replace(trace, entropy=entropy, finished=finished)
    assert "after temperature" in check_conformance(broken).first("stop-rule").what


def test_reports_name_the_sampler_whose_rules_were_applied(sticky, masked):
    assert str(check_conformance(sticky)).startswith(
        "Conforms to the rules of block refinement in what could be checked:"
    )
    report = check_conformance(masked)
    assert str(report).startswith("Conforms to the rules of a mask-token sampler in what could be checked:")
    assert [name for name, _ in report.not_checked] == ["rows-agree"]
    assert "rules of other samplers, not applicable: " in check_conformance(masked)._repr_html_()


@pytest.mark.parametrize(
    ("sampler", "bound", "kind"),
    [
        ("", None, SamplerKind.ENTROPY_BOUND),
        ("their port", 0.1, SamplerKind.ENTROPY_BOUND),
        ("their own", None, SamplerKind.OTHER),
        ("DiscreteDDIMScheduler", None, SamplerKind.DISCRETE_DDIM),
    ],
)
def test_kinds(sticky, sampler, bound, kind):
    settings = {} if bound is None else {"entropy_bound": bound}
    unsaid = replace(sticky.facts, sampler=sampler, sampler_kind="", settings=settings)
    assert sampler_kind(replace(sticky, facts=unsaid)) is kind
