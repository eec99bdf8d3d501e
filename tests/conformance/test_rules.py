"""Each rule names the step and position at which a real run was damaged."""

from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.conformance import RULES, check_conformance
from tests.conformance.conftest import edited, place, with_settings

STEP, SAMPLE = 3, 0


def named(trace, rule, **settings):
    """The violation of a rule, which must be the only one that the trace has of it in its canvas and sample."""
    report = check_conformance(trace, settings)
    violation = report.first(rule)
    assert violation is not None, f"{rule} is not broken: {report}"
    assert violation.rule not in report.passed
    return violation


@pytest.mark.parametrize("name", ["entropy", "confidence", "candidate_probability"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_not_finite(healthy, name, value):
    damaged = edited(healthy, name, np.s_[STEP:, SAMPLE, 7:9], value)
    violation = named(damaged, "numbers-finite")
    assert place(violation) == (0, STEP, SAMPLE, 7)
    assert name in violation.what


def test_an_alternative_that_is_not_finite(healthy):
    assert place(named(edited(healthy, "top_k_probabilities", (STEP, SAMPLE, 2, 5), np.nan), "numbers-finite")) == (
        0,
        STEP,
        SAMPLE,
        2,
    )


def test_a_canvas_of_padding(healthy):
    damaged = edited(healthy, "draft", np.s_[STEP : STEP + 2, SAMPLE], healthy.facts.pad_token_id)
    violation = named(damaged, "canvas-not-padding")
    assert place(violation) == (0, STEP, SAMPLE, None)
    assert violation.places == 2


def test_a_schedule_shifted_by_one_step(healthy):
    n, limit = 16 - healthy.step_in_canvas, 16
    shifted = replace(healthy, temperature=1.0 + (n - 1) / limit)
    violation = named(shifted, "temperature-schedule")
    assert place(violation) == (0, 0, 0, None)
    assert (violation.found, violation.expected) == ("1.9375", "2")


def test_a_schedule_over_another_number_of_steps(healthy):
    assert named(healthy, "temperature-schedule", max_denoising_steps=48).step == 1, "both begin at t_max"


def test_a_temperature_although_none_was_asked_for(healthy):
    assert named(healthy, "temperature-schedule", t_min=None).expected == "1"


def test_a_temperature_of_the_caller_s_own_is_not_judged(healthy):
    report = check_conformance(with_settings(healthy, logits_processors=["TemperatureLogitsWarper"]))
    assert "divides the logits, too" in dict(report.not_checked)["temperature-schedule"]


def test_a_draft_that_is_not_the_argmax(healthy):
    gap = healthy.top_k_probabilities[:4, SAMPLE, :, 0] - healthy.top_k_probabilities[:4, SAMPLE, :, 1]
    step, position = np.argwhere(gap > 0.1)[-1]
    second = int(healthy.top_k_ids[step, SAMPLE, position, 1])
    violation = named(edited(healthy, "draft", (step, SAMPLE, position), second), "draft-is-top-1")
    assert place(violation) == (0, step, SAMPLE, position)
    assert violation.found == f"token {second}"


def test_a_confidence_of_another_distribution(healthy):
    flatter = healthy.confidence**0.7
    violation = named(replace(healthy, confidence=flatter), "confidence-is-top-1")
    first = np.argwhere(np.abs(flatter - healthy.confidence)[:, SAMPLE] > 0.0045)[0]
    assert violation.step == 0
    assert place(violation)[1:] == (first[0], SAMPLE, first[1])


@pytest.mark.parametrize("factor", [0.5, 1.5])
def test_an_entropy_of_another_distribution(healthy, factor):
    position = int(np.argmax(healthy.entropy[STEP, SAMPLE]))
    value = healthy.entropy[STEP, SAMPLE, position] * factor
    violation = named(edited(healthy, "entropy", (STEP, SAMPLE, position), value), "entropy-fits-probabilities")
    assert place(violation) == (0, STEP, SAMPLE, position)


def test_a_candidate_s_probability_of_another_distribution(healthy):
    wrong = np.where(healthy.candidate_probability[STEP, SAMPLE] > 0.5, 0.1, 0.9)
    damaged = edited(healthy, "candidate_probability", (STEP, SAMPLE), wrong)
    assert place(named(damaged, "candidate-probability")) == (0, STEP, SAMPLE, 0)


def test_greedy_candidates(healthy):
    violation = named(replace(healthy, candidate=healthy.draft), "candidates-drawn")
    assert violation.step < STEP
    seen, _, of = violation.found.split()
    assert seen == of


def test_candidates_of_a_flatter_distribution(healthy):
    rng = np.random.default_rng(0)
    random = rng.integers(0, healthy.facts.vocab_size, healthy.candidate.shape)
    flat = np.where(rng.random(random.shape) < 0.3, random, healthy.candidate)
    assert named(replace(healthy, candidate=flat), "candidates-drawn")


def test_another_bound_than_asked_for(healthy):
    violation = named(healthy, "bound-as-asked", entropy_bound=0.1)
    assert place(violation) == (0, 0, 0, None)
    assert (violation.found, violation.expected) == ("2 nats", "0.1 nats")
    assert check_conformance(healthy, {"entropy_bound": 0.1}).first("accepted-set") is None, "it kept the one it had"


@pytest.mark.parametrize("kept", [True, False])
def test_a_position_that_the_bound_does_not_allow(healthy, kept):
    entropy, accepted = healthy.entropy[STEP, SAMPLE], healthy.accepted[STEP, SAMPLE]
    chosen = np.where(accepted == kept, entropy, -np.inf if not kept else np.inf)
    position = int(np.argmin(chosen) if kept else np.argmax(chosen))
    damaged = edited(healthy, "accepted", (STEP, SAMPLE, position), not kept)
    violation = named(damaged, "accepted-set")
    assert place(violation) == (0, STEP, SAMPLE, position)
    assert violation.expected == ("accepted" if kept else "re-noised")


def test_nothing_accepted(healthy):
    damaged = edited(healthy, "accepted", (STEP, SAMPLE), value=False)
    assert place(named(damaged, "accepted-set"))[:3] == (0, STEP, SAMPLE)


def test_without_a_recorded_bound_the_one_asked_for_counts(healthy):
    unknown = replace(healthy, entropy_bound=np.full_like(healthy.entropy_bound, np.nan))
    assert "accepted-set" in check_conformance(unknown).passed
    violation = named(unknown, "accepted-set", entropy_bound=0.1)
    assert violation.step == 0
    report = check_conformance(unknown, {"entropy_bound": None})
    assert "or that setting" in dict(report.not_checked)["accepted-set"]


def test_an_accepted_candidate_that_is_lost(healthy):
    position = int(np.flatnonzero(healthy.accepted[STEP, SAMPLE])[-1])
    other = (healthy.candidate[STEP, SAMPLE, position] + 1) % healthy.facts.vocab_size
    violation = named(edited(healthy, "noised", (STEP + 1, SAMPLE, position), other), "accepted-kept")
    assert place(violation) == (0, STEP, SAMPLE, position)
    assert violation.found == f"token {other}"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("draft", "the draft"),
        ("candidate", "the candidate"),
        ("noised", "what was there before"),
        (None, "position before them"),
    ],
)
def test_noise_that_is_none(healthy, source, words):
    """Argmax or candidate written into the canvas; a canvas that is not re-noised; one filled with a mask token."""
    noised = healthy.noised.copy()
    for step in range(healthy.n_steps - 1):
        if healthy.canvas[step] == healthy.canvas[step + 1]:
            fill = getattr(healthy, source)[step] if source else np.full_like(noised[step], 91)
            noised[step + 1] = np.where(healthy.accepted[step], noised[step + 1], fill)
    damaged = replace(healthy, noised=noised)
    violation = named(damaged, "re-noised-random")
    assert violation.step == 0
    assert violation.canvas == 0
    assert words in violation.what
    assert violation.position in np.flatnonzero(~healthy.accepted[0, violation.sample])
    assert sum(found.rule == "re-noised-random" for found in check_conformance(damaged).violations) == 1


def test_a_first_canvas_that_is_not_random(healthy):
    damaged = edited(healthy, "noised", (0, SAMPLE), healthy.facts.pad_token_id)
    assert place(named(damaged, "initial-canvas-random"))[:3] == (0, 0, SAMPLE)


def finish(trace, canvas=0, sample=SAMPLE):
    """Row of the trace in which a sample finishes."""
    return int(np.flatnonzero((trace.canvas == canvas) & trace.finished[:, sample])[0])


def test_stopped_early(healthy):
    sample = int(np.argmax([finish(healthy, sample=s) for s in range(healthy.n_samples)]))
    last = finish(healthy, sample=sample)
    violation = named(edited(healthy, "finished", (last - 1, sample), value=True), "stop-rule")
    assert place(violation) == (0, last - 1, sample, None)
    assert (violation.found, violation.expected) == ("stopped", "go on")


def test_stopped_late(healthy):
    row = finish(healthy)
    violation = named(edited(healthy, "finished", np.s_[row:, SAMPLE], value=False), "stop-rule")
    assert place(violation) == (0, int(healthy.step_in_canvas[row]), SAMPLE, None)
    assert (violation.found, violation.expected) == ("went on", "stop")


@pytest.mark.parametrize("name", ["stability_threshold", "confidence_threshold"])
def test_stopped_although_no_adaptive_stop_was_asked_for(healthy, name):
    violation = named(healthy, "stop-rule", **{name: None})
    assert violation.step == min(finish(healthy, sample=sample) for sample in range(healthy.n_samples))


def test_other_thresholds_than_asked_for(healthy):
    assert named(healthy, "stop-rule", stability_threshold=2).found == "stopped"
    assert named(healthy, "stop-rule", confidence_threshold=1e-9).found == "stopped"
    assert named(healthy, "stop-rule", stability_threshold=0, confidence_threshold=9.0).found == "went on"


def test_more_steps_than_allowed(healthy):
    taken = int(healthy.step_in_canvas[healthy.active[:, SAMPLE]].max()) + 1
    violation = named(healthy, "step-limit", max_denoising_steps=taken - 1)
    assert violation.step == taken - 1
    assert violation.found == f"{taken} steps"


def test_fewer_steps_than_allowed(healthy):
    never = replace(healthy, finished=np.zeros_like(healthy.finished))
    assert "although it had not finished" in named(never, "step-limit").what


@pytest.mark.parametrize("name", ["draft", "noised"])
def test_a_finished_sample_that_changes(healthy, name):
    row, sample = np.argwhere(~healthy.active[1:] & ~healthy.active[:-1])[-1] + (1, 0)
    other = (getattr(healthy, name)[row, sample, 5] + 1) % healthy.facts.vocab_size
    violation = named(edited(healthy, name, (row, sample, 5), other), "finished-rows-frozen")
    assert place(violation) == (healthy.canvas[row], healthy.step_in_canvas[row], sample, 5)
    assert violation.found == f"token {other}"


def test_a_finished_sample_that_is_denoised_again(healthy):
    row, sample = np.argwhere(~healthy.active)[0]
    violation = named(edited(healthy, "active", (row, sample), value=True), "finished-for-good")
    assert place(violation) == (healthy.canvas[row], healthy.step_in_canvas[row], sample, None)
    assert violation.found == "active"


def test_a_sample_that_is_left_out(healthy):
    violation = named(edited(healthy, "active", (1, SAMPLE), value=False), "finished-for-good")
    assert (violation.step, violation.found) == (1, "inactive")


def test_another_token_than_the_last_draft(healthy):
    """The accepted canvas, or the draft of a step before, in place of the last draft."""
    other = (healthy.emitted[0, SAMPLE, 2] + 1) % healthy.facts.vocab_size
    violation = named(edited(healthy, "emitted", (0, SAMPLE, 2), other), "emitted-is-last-draft")
    assert (violation.canvas, violation.sample, violation.position) == (0, SAMPLE, 2)
    assert violation.found == f"token {other}"


@pytest.mark.parametrize("canvas", [0, 1])
def test_text_after_the_end(healthy, canvas):
    ends = np.isin(healthy.emitted[0], healthy.facts.eos_token_ids)
    sample = int(np.flatnonzero(ends.any(axis=1))[0])
    position = 0 if canvas else int(np.argmax(ends[sample])) + 1
    violation = named(edited(healthy, "emitted", (canvas, sample, position), 50), "padding-after-end")
    assert (violation.canvas, violation.sample, violation.position) == (canvas, sample, position)
    assert violation.step is None


def test_what_comes_first_is_listed_first(healthy):
    damaged = edited(edited(healthy, "noised", (STEP + 1, SAMPLE), 50), "entropy", (1, SAMPLE, 4), np.nan)
    violations = check_conformance(damaged).violations
    assert violations[0].rule == "numbers-finite"
    assert [(v.canvas, v.step) for v in violations] == sorted((v.canvas, v.step) for v in violations)


def test_rules_are_documented():
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.says.endswith(".") and rule.source and rule.needs for rule in RULES)
