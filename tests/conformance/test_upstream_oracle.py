"""The rules against upstream's own sampler, stop rule and schedule, on numbers that no model would give."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
    LinearTemperatureScheduleLogitsProcessor,
    StableAndConfidentStoppingCriteria,
)

from dgemma_viz.conformance import Tolerances, check_conformance
from dgemma_viz.conformance.acceptance import wrongly_decided
from tests.synthetic import synthetic_trace

VOCABULARY = 12
EXACT = Tolerances(relative=1e-6, entropy=1e-6)
LOGITS = hnp.arrays(
    np.float32, st.tuples(st.just(1), st.integers(1, 12), st.just(VOCABULARY)), elements=st.floats(-9, 9, width=32)
)


def upstream(logits, bound):
    """Entropies and accepted mask of upstream's sampler."""
    logits = torch.from_numpy(logits)
    sampler = EntropyBoundSampler(EntropyBoundSamplerConfig(bound), logits.shape[1], VOCABULARY, 1)
    drafts = logits.argmax(-1)
    sampler.accept_canvas(drafts, drafts, logits, 1)
    entropy = torch.distributions.Categorical(logits=logits).entropy()
    return entropy.numpy()[0].astype(float), sampler.accepted_token_mask.numpy()[0]


@settings(max_examples=150)
@given(logits=LOGITS, bound=st.floats(1e-4, 20))
def test_upstream_s_own_set_is_never_accused(logits, bound):
    entropy, accepted = upstream(logits, bound)
    assert not wrongly_decided(entropy, accepted, bound, EXACT).any()
    assert not wrongly_decided(entropy, accepted, bound, Tolerances()).any()


@settings(max_examples=150)
@given(logits=LOGITS, bound=st.floats(0.01, 20), data=st.data())
def test_any_other_set_is_accused(logits, bound, data):
    entropy, accepted = upstream(logits, bound)
    assume((np.diff(np.sort(entropy)) > 1e-3).all() and entropy.min() > 1e-3)
    assume((np.abs(np.cumsum(np.sort(entropy)) - bound) > 1e-3).all())
    other = accepted.copy()
    changed = data.draw(st.sets(st.integers(0, len(other) - 1), min_size=1))
    other[list(changed)] ^= True
    assert wrongly_decided(entropy, other, bound, EXACT).any()


ONE, OTHER = [True, True, False, False], [False, True, True, False]


@pytest.mark.parametrize(
    ("bound", "accepted", "wrong"),
    [
        (0.3, ONE, None),
        (0.3, OTHER, None),
        (0.3, [True, True, True, False], 0),
        (0.3, [False, True, False, False], 0),
        (0.3, [False, False, True, False], 1),
        (0.3, [False, True, False, True], 3),
        (0.1, [False, True, False, False], None),
        (0.1, ONE, 0),
        (0.8, [True, True, True, False], None),
        (0.8, ONE, 2),
        (0.8, [False, False, False, False], 1),
    ],
)
def test_positions_of_equal_entropy_may_change_places(bound, accepted, wrong):
    """By hand: before a position at 0.5 the sum is 0.2 or 0.7, before the one at 0.9 it is 1.2."""
    found = wrongly_decided(np.array([0.5, 0.2, 0.5, 0.9]), np.array(accepted), bound, EXACT)
    assert found.any() == (wrong is not None)
    assert wrong is None or found[wrong]


@settings(max_examples=60)
@given(
    drafts=hnp.arrays(np.int32, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(0, 1)),
    stability=st.integers(0, 3),
    confidence=st.floats(0.01, 1.0),
    data=st.data(),
)
def test_the_stop_rule_is_upstream_s(drafts, stability, confidence, data):
    scale = data.draw(hnp.arrays(np.float32, len(drafts), elements=st.floats(0, 20, width=32)))
    logits = np.zeros((len(drafts), 1, 3, VOCABULARY), dtype=np.float32)
    np.put_along_axis(logits, drafts[:, None, :, None], scale[:, None, None, None], axis=-1)
    criterion = StableAndConfidentStoppingCriteria(stability, confidence)
    entropy = torch.distributions.Categorical(logits=torch.from_numpy(logits)).entropy().numpy()
    assume((np.abs(entropy.mean(axis=(1, 2)) - confidence) > 1e-4).all())
    stops = [
        bool(criterion(torch.from_numpy(draft)[None], torch.from_numpy(step)))
        for draft, step in zip(drafts, logits, strict=True)
    ]
    steps = stops.index(True) + 1 if any(stops) else len(stops)
    trace = stop_trace(drafts[:steps], entropy[:steps], stability, confidence, finished=any(stops))
    assert check_conformance(trace, tolerances=EXACT).first("stop-rule") is None
    contrary = stop_trace(drafts[:steps], entropy[:steps], stability, confidence, finished=not any(stops))
    violation = check_conformance(contrary, tolerances=EXACT).first("stop-rule")
    assert violation is not None
    assert violation.step == steps - 1


def stop_trace(drafts, entropy, stability, confidence, *, finished):
    """A trace whose drafts, entropies and last decision to stop are as given."""
    base = synthetic_trace(length=drafts.shape[1], steps=[[len(drafts)]])
    decided = np.zeros((len(drafts), 1), dtype=bool)
    decided[-1] = finished
    given_settings = {"stability_threshold": stability, "confidence_threshold": confidence}
    facts = replace(base.facts, settings=given_settings)
    return replace(base, draft=drafts[:, None], entropy=entropy, finished=decided, facts=facts)


@settings(max_examples=40)
@given(limit=st.integers(1, 60), t_min=st.floats(0.1, 1.0), span=st.floats(0.05, 2.0))
def test_the_schedule_is_upstream_s(limit, t_min, span):
    processor = LinearTemperatureScheduleLogitsProcessor(t_min, t_min + span, limit)
    one = torch.ones(1, 1, 1, dtype=torch.float64)
    temperatures = [float(1 / processor(None, one, cur_step=remaining)) for remaining in range(limit, 0, -1)]
    base = synthetic_trace(length=4, steps=[[limit]])
    schedule = {"t_min": t_min, "t_max": t_min + span, "max_denoising_steps": limit}
    trace = replace(base, temperature=np.array(temperatures), facts=replace(base.facts, settings=schedule))
    assert "temperature-schedule" in check_conformance(trace, tolerances=EXACT).passed
