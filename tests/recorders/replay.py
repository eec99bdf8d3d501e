"""The sampler's rules, written down a second time in numpy, and checked against a trace."""

from itertools import pairwise

import numpy as np


def assert_consistent(trace, *, tolerance=1e-4):
    """Everything that the trace's own numbers must fulfil, whatever the settings were."""
    _accepted_set(trace, tolerance)
    _probabilities(trace)
    _derived(trace)
    for canvas in range(trace.n_canvases):
        steps = np.flatnonzero(trace.canvas == canvas)
        for sample in range(trace.n_samples):
            _next_canvas(trace, steps, sample)
            _stopping(trace, steps, sample, tolerance)
            if canvas < len(trace.emitted):
                _emission(trace, steps, canvas, sample)


def accepted_by_hand(entropy, bound):
    """Mask and distance from the bound of each position: accept in order of entropy while the rest fits."""
    order = sorted(range(len(entropy)), key=lambda position: entropy[position])
    total, mask, distance = 0.0, np.zeros(len(entropy), bool), np.zeros(len(entropy))
    for position in order:
        mask[position] = total <= bound
        distance[position] = abs(total - bound)
        total += float(entropy[position])
    return mask, distance


def _accepted_set(trace, tolerance):
    for step in range(trace.n_steps):
        for sample in range(trace.n_samples):
            mask, distance = accepted_by_hand(trace.entropy[step, sample], trace.entropy_bound[step])
            wrong = mask != trace.accepted[step, sample]
            # Positions of (nearly) the same entropy may change places; only those at the bound itself matter.
            assert not (wrong & (distance > tolerance)).any()


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


def _next_canvas(trace, steps, sample):
    for step, following in pairwise(steps):
        accepted = trace.accepted[step, sample]
        if trace.active[following, sample]:
            kept = trace.noised[following, sample][accepted]
            np.testing.assert_array_equal(kept, trace.candidate[step, sample][accepted])
        elif not trace.active[step, sample]:
            np.testing.assert_array_equal(trace.noised[following, sample], trace.noised[step, sample])
            np.testing.assert_array_equal(trace.draft[following, sample], trace.draft[step, sample])


def _stopping(trace, steps, sample, tolerance):
    settings = trace.facts.settings
    stability, confidence = settings["stability_threshold"], settings["confidence_threshold"]
    adaptive = stability is not None and confidence is not None
    drafts, done = [], False
    for step in steps:
        assert trace.active[step, sample] == (not done)
        draft = trace.draft[step, sample].tolist()
        streak = 0
        while streak < len(drafts) and drafts[-1 - streak] == draft:
            streak += 1
        assert trace.stable_steps[step, sample] == streak
        drafts.append(draft)
        if adaptive and not done:
            mean = float(trace.entropy[step, sample].mean())
            if abs(mean - confidence) > tolerance:
                done = streak >= stability and mean < confidence
            else:
                done = bool(trace.finished[step, sample])
        assert trace.finished[step, sample] == done
    if trace.facts.status == "complete":
        assert len(steps) == settings["max_denoising_steps"] or trace.finished[steps[-1]].all()


def _emission(trace, steps, canvas, sample):
    """The last draft, with padding after the first end-of-sequence token, or everywhere once the sample had ended."""
    expected = trace.draft[steps[-1], sample].copy()
    ends = [np.isin(trace.emitted[before, sample], trace.facts.eos_token_ids).any() for before in range(canvas)]
    assert trace.past_end[canvas, sample] == any(ends)
    if trace.past_end[canvas, sample]:
        expected[:] = trace.facts.pad_token_id
    found = np.flatnonzero(np.isin(expected, trace.facts.eos_token_ids))
    if len(found):
        expected[found[0] + 1 :] = trace.facts.pad_token_id
    np.testing.assert_array_equal(trace.emitted[canvas, sample], expected)
