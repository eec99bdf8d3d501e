"""A recorded trace obeys the reference sampler's rules, and what is derived in it follows from what is measured.

The rules are the product's own (:mod:`dgemma_viz.conformance`), at the precision of float32;
``tests/conformance/test_upstream_oracle.py`` holds them to upstream's own sampler.
"""

import numpy as np

from dgemma_viz.conformance import Tolerances, check_conformance

EXACT = Tolerances(relative=1e-5, entropy=1e-5, probability=1e-3, false_alarm=1e-9)


def assert_consistent(trace, settings=None):
    """Everything that the numbers must fulfil; ``settings`` are those that really ran, where others were asked for."""
    report = check_conformance(trace, settings, tolerances=EXACT)
    assert not report.violations, str(report)
    _probabilities(trace)
    _derived(trace)
    _past_end(trace)


def _probabilities(trace):
    assert np.isfinite(trace.entropy).all()
    assert (np.diff(trace.top_k_probabilities.astype(float), axis=-1) <= 0).all()
    np.testing.assert_allclose(trace.top_k_probabilities[..., 0], trace.confidence, rtol=1e-3)
    active = np.broadcast_to(trace.active[:, :, None], trace.draft.shape)
    tied = trace.top_k_probabilities[..., 0] == trace.top_k_probabilities[..., 1]
    assert ((trace.draft == trace.top_k_ids[..., 0]) | tied | ~active).all()
    listed = trace.candidate[..., None] == trace.top_k_ids
    rows = listed.any(axis=-1)
    np.testing.assert_allclose(
        trace.candidate_probability[rows], trace.top_k_probabilities[listed].astype(float), rtol=2e-3, atol=1e-6
    )


def _derived(trace):
    for step in range(trace.n_steps):
        for sample in range(trace.n_samples):
            kept = np.sort(trace.entropy[step, sample][trace.accepted[step, sample]])
            spent = kept[:-1].sum() if len(kept) else 0.0
            np.testing.assert_allclose(trace.entropy_spent[step, sample], spent, atol=1e-4)
            assert trace.entropy_spent[step, sample] <= trace.entropy_bound[step] + 1e-4
    np.testing.assert_allclose(trace.mean_entropy, trace.entropy.mean(axis=-1), rtol=1e-5, atol=1e-6)
    for sample in range(trace.n_samples):
        streak = 0
        for step in range(trace.n_steps):
            unchanged = (
                trace.step_in_canvas[step] and (trace.draft[step, sample] == trace.draft[step - 1, sample]).all()
            )
            streak = streak + 1 if unchanged else 0
            assert trace.stable_steps[step, sample] == streak


def _past_end(trace):
    for canvas, sample in np.ndindex(trace.past_end.shape):
        ended = np.isin(trace.emitted[:canvas, sample], trace.facts.eos_token_ids).any()
        assert trace.past_end[canvas, sample] == ended
