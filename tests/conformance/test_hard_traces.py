"""Traces that are cut off, empty, absurd or hostile: an answer or an exception of ours, never a crash."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.conformance import RULES, Tolerances, check_conformance
from dgemma_viz.errors import SettingError
from dgemma_viz.trace.schema import ARRAYS
from tests.conformance.conftest import with_settings
from tests.synthetic import synthetic_trace


def test_no_step_at_all(healthy):
    nothing = replace(healthy, **{name: getattr(healthy, name)[:0] for name, s in ARRAYS.items() if s.axes[0] in "SN"})
    report = check_conformance(nothing)
    assert not report.ok, "nothing was checked"
    assert report.passed == report.violations == ()
    assert "Nothing could be checked" in str(report)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_a_run_that_was_cut_off(healthy, steps):
    arrays = {name: getattr(healthy, name)[:steps] for name, spec in ARRAYS.items() if spec.axes[0] == "S"}
    arrays |= {name: getattr(healthy, name)[:0] for name in ("emitted", "past_end")}
    cut = replace(healthy, **arrays, facts=replace(healthy.facts, status="interrupted"))
    report = check_conformance(cut)
    assert report.ok, str(report)
    assert dict(report.not_checked)["emitted-is-last-draft"] == "no canvas was emitted"


def test_what_is_absent_is_never_passed(healthy):
    for name in ("entropy", "accepted", "noised", "candidate", "finished", "confidence", "top_k_ids"):
        facts = replace(healthy.facts, absent=(name,))
        value = np.full_like(
            getattr(healthy, name), {"i": -1, "f": np.nan, "b": False}[getattr(healthy, name).dtype.kind]
        )
        report = check_conformance(replace(healthy, **{name: value}, decision=None, facts=facts))
        assert not report.violations, str(report)
        missing = [reason for _, reason in report.not_checked if name in reason]
        assert missing or name == "finished", f"without '{name}' everything passed"


def test_settings_that_are_not_known(healthy):
    unknown = replace(healthy, facts=replace(healthy.facts, settings={}))
    reasons = dict(check_conformance(unknown).not_checked)
    assert {"temperature-schedule", "bound-as-asked", "stop-rule", "step-limit"} <= set(reasons)
    assert "'stability_threshold', 'confidence_threshold'" in reasons["stop-rule"]


@pytest.mark.parametrize("value", ["0.4", True, [1], float("nan"), float("inf"), {"a": 1}])
def test_settings_of_a_hostile_file(healthy, value):
    """What a file says is judged when it is used; the caller's own settings at once."""
    damaged = with_settings(healthy, stability_threshold=value, logits_processors=value, inputs=value)
    reasons = dict(check_conformance(damaged).not_checked)
    assert "stability_threshold" in reasons["stop-rule"]
    with pytest.raises(SettingError, match="stability_threshold"):
        check_conformance(healthy, {"stability_threshold": value})


def test_settings_that_no_rule_uses(healthy):
    with pytest.raises(SettingError, match="no reference setting 'top_p'; choose from"):
        check_conformance(healthy, {"top_p": 1})


@pytest.mark.parametrize(
    "options", [{"relative": -1}, {"entropy": float("nan")}, {"false_alarm": 0}, {"false_alarm": 1}]
)
def test_tolerances_out_of_range(options):
    with pytest.raises(SettingError, match=next(iter(options))):
        Tolerances(**options)


@settings(max_examples=25)
@given(
    canvases=st.integers(1, 3),
    samples=st.integers(1, 3),
    length=st.integers(1, 5),
    steps=st.integers(1, 5),
    bad=st.sampled_from([np.nan, np.inf, -np.inf, 1e30, -5.0]),
    seed=st.integers(0, 99),
)
def test_any_shape_and_any_number(canvases, samples, length, steps, bad, seed):
    trace = synthetic_trace(canvases=canvases, samples=samples, length=length, steps=steps, seed=seed)
    entropy = trace.entropy.copy()
    entropy[np.random.default_rng(seed).random(entropy.shape) < 0.3] = bad
    temperature = np.where(trace.step_in_canvas % 2, bad, trace.temperature)
    report = check_conformance(replace(trace, entropy=entropy, temperature=temperature))
    broken = {violation.rule for violation in report.violations}
    unsettled = len(report.undecided) + len(report.not_checked)
    assert len(report.passed) + unsettled + len(broken) + len(report.not_applicable) == len(RULES)
    assert str(report)
    assert report._repr_html_()


def test_the_synthetic_traces_keep_the_sampler_s_rules():
    """But for what they do not simulate: when to stop, and the end of the sequence."""
    not_simulated = {"stop-rule", "padding-after-end", "emitted-is-last-draft"}
    for seed in range(20):
        report = check_conformance(synthetic_trace(canvases=2, samples=2, seed=seed))
        assert {violation.rule for violation in report.violations} <= not_simulated, str(report)
