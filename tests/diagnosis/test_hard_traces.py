"""Traces of every awkward shape are diagnosed without an error or a warning."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgemma_viz.diagnosis import diagnose
from dgemma_viz.trace.schema import ARRAYS
from tests.synthetic import synthetic_trace

STEP_ARRAYS = [name for name, spec in ARRAYS.items() if spec.axes[0] == "S"]


def cut(trace, steps, emitted=0):
    """The trace as if its run had been interrupted after some steps."""
    arrays = {name: getattr(trace, name)[:steps] for name in STEP_ARRAYS}
    arrays |= {name: getattr(trace, name)[:emitted] for name in ("emitted", "past_end")}
    return replace(trace, **arrays, facts=replace(trace.facts, status="interrupted"))


def rules(trace, reference=None):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        diagnosis = diagnose(trace, reference)
        str(diagnosis), diagnosis._repr_html_(), diagnosis.table()
    for finding in diagnosis:
        assert finding.what
        assert all(isinstance(value, int | float) for value in finding.evidence.values()), finding
    return {finding.rule for finding in diagnosis}


@given(
    canvases=st.integers(1, 3),
    samples=st.integers(1, 3),
    length=st.integers(1, 14),
    steps=st.integers(1, 8),
    seed=st.integers(0, 99),
    reference=st.sampled_from([None, "", " the cat", "0123"]),
)
@settings(max_examples=60)
def test_any_shape(canvases, samples, length, steps, seed, reference):
    trace = synthetic_trace(canvases=canvases, samples=samples, length=length, steps=steps, seed=seed)
    rules(trace, reference)
    rules(cut(trace, trace.n_steps - 1, canvases - 1), reference)


def test_no_step_at_all():
    assert rules(cut(synthetic_trace(), 0), "x") == {"run-cut-off"}


def test_a_sample_past_its_end_is_left_out():
    trace = synthetic_trace(canvases=2, samples=2, steps=[[4, 4], [4, 0]])
    # The simulation does not pad what it emits after the end, which the reference rules rightly notice.
    others = [finding for finding in diagnose(trace) if finding.rule != "reference-rule-broken"]
    assert (1, 1) not in {(finding.canvas, finding.sample) for finding in others}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_numbers_that_are_none(value):
    """No run of transformers gets past a NaN, so a trace is edited by hand: other runtimes record such steps."""
    trace = synthetic_trace(steps=6)
    entropy, confidence = trace.entropy.copy(), trace.confidence.copy()
    entropy[3, 0, [2, 5]] = value
    confidence[3, 0, [2, 5]] = np.nan
    assert "numbers-not-finite" in rules(replace(trace, entropy=entropy, confidence=confidence))
    found = next(f for f in diagnose(replace(trace, entropy=entropy)) if f.rule == "numbers-not-finite")
    assert (found.canvas, found.step, found.positions) == (0, 3, (2, 5))
    confidence[-1] = entropy[-1] = np.nan
    rules(replace(trace, entropy=entropy, confidence=confidence))


def test_settings_of_any_kind_from_a_file():
    trace = synthetic_trace()
    names = ("max_denoising_steps", "entropy_bound", "t_min", "t_max", "stability_threshold", "confidence_threshold")
    for odd in ("many", [1], {"a": 1}, None, True, float("nan"), -3):
        rules(replace(trace, facts=replace(trace.facts, settings=dict.fromkeys(names, odd), pad_token_id=odd)))


def test_decisions_that_were_not_logged_are_not_held_against_the_bound():
    healthy = synthetic_trace()
    silent = replace(
        healthy,
        accepted=np.zeros_like(healthy.accepted),
        decision=None,
        facts=replace(healthy.facts, absent=("accepted",)),
    )
    found = {finding.rule for finding in diagnose(silent).findings}
    assert not {"emitted-but-never-accepted", "bound-too-loose", "bound-too-tight"} & found
