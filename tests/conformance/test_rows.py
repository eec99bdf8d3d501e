"""Where rows begin, and that the same input gets the same probabilities, alone and in a batch."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.conformance import Tolerances, check_conformance
from dgemma_viz.labs.sabotage.mask_loop import LoopSettings, run_mask_loop
from dgemma_viz.tiny.tasks import TASKS
from tests.conformance.conftest import record_batch, with_settings

PROMPTS = [TASKS[task].example_prompts[1] for task in ("sudoku", "sort", "addition")]


@pytest.fixture(scope="module")
def masked():
    return dv.load_tiny("masked")


def named(report, rule):
    return [violation for violation in report.violations if violation.rule == rule]


def begun_with(trace, canvas, sample, ids):
    noised = np.array(trace.noised)
    noised[np.argmax(trace.canvas == canvas), sample] = ids
    return replace(trace, noised=noised)


def test_rows_that_share_one_draw_are_named(healthy):
    (found,) = named(check_conformance(begun_with(healthy, 0, 2, healthy.noised[0, 0])), "rows-begin-apart")
    assert (found.canvas, found.step, found.sample) == (0, 0, 2)
    assert "sample 0 begins with" in found.what
    assert found.places == healthy.canvas_length
    shared = with_settings(begun_with(healthy, 0, 2, healthy.noised[0, 0]), seed_per_row=True)
    assert not named(check_conformance(shared), "rows-begin-apart")


def test_a_row_that_begins_with_what_another_held_is_named(healthy):
    going_on = int(np.flatnonzero(~healthy.past_end[1])[0])
    left = healthy.emitted[0, (going_on + 1) % 3]
    (found,) = named(check_conformance(begun_with(healthy, 1, going_on, left)), "rows-begin-apart")
    assert (found.canvas, found.step, found.sample) == (1, 0, going_on)
    assert f"sample {(going_on + 1) % 3} held at the end of canvas 0" in found.what


def test_a_row_of_an_earlier_request_is_named_from_both_runs(tiny):
    first, second = (record_batch(*tiny, ["sort"], seed) for seed in (1, 2))
    stale = begun_with(second, 0, 0, first.draft[-1, 0])
    assert not named(check_conformance([first, second]), "rows-begin-apart")
    (found,) = named(check_conformance([first, stale]), "rows-begin-apart")
    assert (found.trace, found.canvas, found.step) == (1, 0, 0)
    assert "of trace 0" in found.what


def test_one_row_alone_has_not_passed(tiny):
    reasons = dict(check_conformance(record_batch(*tiny, ["sort"], 1)).not_checked)
    assert "none before or beside it" in reasons["rows-begin-apart"]
    assert "no two rows had one prompt" in reasons["rows-agree"]


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_alone_and_in_a_batch(masked, temperature):
    """Drawn candidates part soon; until then the probabilities are held against each other all the same."""
    settings = LoopSettings(temperature=temperature)
    alone = {prompt: run_mask_loop(*masked, prompt, settings) for prompt in PROMPTS}
    report = check_conformance(
        {**alone, "batch": run_mask_loop(*masked, PROMPTS, settings)}, tolerances=Tolerances(batch=1e-3)
    )
    assert report.ok, str(report)
    assert "rows-agree" in report.passed


def test_a_batch_that_reads_its_padding_is_named(masked):
    alone = {prompt: run_mask_loop(*masked, prompt, fault="padding-seen") for prompt in PROMPTS}
    report = check_conformance({**alone, "batch": run_mask_loop(*masked, PROMPTS, fault="padding-seen")})
    found = named(report, "rows-agree")
    assert found
    assert {one.trace for one in found} == {3}
    assert 0 not in {one.sample for one in found}, "the longest prompt has no padding"
    assert "what stands around it" in found[0].what


def test_twice_the_same_prompt_in_one_batch(masked):
    trace = run_mask_loop(*masked, [PROMPTS[0]] * 2)
    assert "rows-agree" in check_conformance(trace).passed
    confidence = np.array(trace.confidence)
    confidence[0, 1] /= 2
    (found,) = named(check_conformance(replace(trace, confidence=confidence)), "rows-agree")
    assert (found.sample, found.step) == (1, 0)


def test_probabilities_of_two_distributions_are_named_without_alternatives(masked):
    """A log of the candidate's probability beside the confidence, and nothing else."""
    trace = run_mask_loop(*masked, PROMPTS[1], LoopSettings(temperature=2.0))
    bare = replace(trace, **{name: getattr(trace, name)[..., :0] for name in ("top_k_ids", "top_k_probabilities")})
    assert "candidate-probability" in check_conformance(bare).passed
    wrong = replace(bare, candidate_probability=np.sqrt(trace.candidate_probability))
    found, *_ = named(check_conformance(wrong), "candidate-probability")
    assert "different distributions" in found.what
