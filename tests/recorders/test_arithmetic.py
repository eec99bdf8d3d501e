"""What the trace says about a step, recomputed from the logits that the sampler was given, and from rules."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from transformers import DiffusionGemmaForBlockDiffusion, LogitsProcessorList, TemperatureLogitsWarper
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    DiffusionGemmaAdaptiveStopping,
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
)

from dgemma_viz.recorders import RecorderWarning, record
from dgemma_viz.recorders.reduce import accepted_by_rule, reduce_logits
from dgemma_viz.trace.derive import entropy_spent, mean_entropy, stable_steps
from dgemma_viz.trace.notice import NoticeCode
from tests.recorders.conftest import CANVAS, VOCABULARY, bound, prompts, small_model
from tests.recorders.replay import assert_consistent
from tests.recorders.same_run import recorded, run_both


class KeepingSampler(EntropyBoundSampler):
    """Keeps what it was given and decided."""

    def accept_canvas(self, current_canvas, denoiser_canvas, logits, cur_step):
        result = super().accept_canvas(current_canvas, denoiser_canvas, logits, cur_step)
        self.kept.append((denoiser_canvas.clone(), logits.clone(), self.accepted_token_mask.clone()))
        return result


class HidingSampler(EntropyBoundSampler):
    """Keeps its mask to itself, as a sampler of one's own may."""

    def accept_canvas(self, current_canvas, denoiser_canvas, logits, cur_step):
        result = super().accept_canvas(current_canvas, denoiser_canvas, logits, cur_step)
        self._mask, self.accepted_token_mask = self.accepted_token_mask, None
        return result

    def renoise_canvas(self, accepted_canvas, cur_step):
        self.accepted_token_mask, self._mask = self._mask, None
        result = super().renoise_canvas(accepted_canvas, cur_step)
        self.accepted_token_mask = None
        return result


def with_sampler(model, sampler_class, **attributes):
    """A model whose class prepares a sampler of its own."""

    class Customised(type(model)):
        def _prepare_sampler(self, generation_config):
            sampler = sampler_class(
                generation_config.sampler_config, self.config.canvas_length, VOCABULARY, max_denoising_steps=0
            )
            vars(sampler).update(attributes)
            return sampler

    model.__class__ = Customised
    return model


def test_numbers_of_every_step_against_the_logits():
    kept = []
    model = with_sampler(small_model(), KeepingSampler, kept=kept)
    *_, recording = recorded(model, lambda: model.generate(**prompts(3), max_new_tokens=2 * CANVAS), top_k=5)
    trace = recording.trace
    assert len(kept) == trace.n_steps
    assert trace.facts.sampler == "KeepingSampler"
    for step, (candidate, logits, mask) in enumerate(kept):
        entropy = torch.distributions.Categorical(logits=logits).entropy()
        assert np.array_equal(trace.entropy[step], entropy.numpy()), "not bit for bit the sampler's entropy"
        assert np.array_equal(trace.accepted[step], mask.numpy())
        assert np.array_equal(trace.candidate[step], candidate.numpy())
        scaled = logits.double().numpy()
        p = np.exp(scaled - scaled.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        best = np.sort(p, axis=-1)[..., ::-1][..., :5]
        np.testing.assert_allclose(trace.top_k_probabilities[step], best, rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(trace.confidence[step], best[..., 0], rtol=1e-5)
        drawn = np.take_along_axis(p, candidate.numpy()[..., None], axis=-1)[..., 0]
        np.testing.assert_allclose(trace.candidate_probability[step], drawn, rtol=1e-4, atol=1e-9)


def test_a_sampler_without_a_mask_has_it_derived():
    model = with_sampler(small_model(), HidingSampler)
    with pytest.warns(RecorderWarning, match="shows no accepted mask"):
        _, trace = run_both(model, lambda: model.generate(**prompts(2)))
    assert_consistent(trace)
    (notice,) = trace.facts.notices
    assert notice.code == NoticeCode.ACCEPTED_DERIVED
    assert "derived from the entropies and the bound" in notice.text


def test_a_mask_that_does_not_explain_the_canvas_is_reported():
    class Careless(EntropyBoundSampler):
        def renoise_canvas(self, accepted_canvas, _cur_step):
            return self.initialize_canvas(accepted_canvas.shape[0], accepted_canvas.device)

    model = with_sampler(small_model(), Careless)
    *_, recording = recorded(model, lambda: model.generate(**prompts(1)))
    assert [notice.code for notice in recording.trace.facts.notices] == [NoticeCode.ACCEPTED_MISSING]


def test_a_stopping_criterion_of_one_s_own():
    class AtThird(DiffusionGemmaAdaptiveStopping):
        def __call__(self, argmax_canvas, _logits):
            self.steps += 1
            return torch.arange(len(argmax_canvas)) <= self.steps - 3

        def reset(self):
            self.steps = 0

    class Customised(DiffusionGemmaForBlockDiffusion):
        def _prepare_diffusion_stopping_criteria(self, _config):
            return AtThird()

    model = small_model()
    model.__class__ = Customised
    _, trace = run_both(model, lambda: model.generate(**prompts(3), max_new_tokens=2 * CANVAS))
    assert trace.facts.model_class == "Customised"
    expected = np.array([[False] * 3, [False] * 3, [True, False, False], [True, True, False], [True] * 3])
    np.testing.assert_array_equal(trace.finished, np.concatenate([expected, expected]))
    np.testing.assert_array_equal(trace.active[1:5], ~expected[:-1])


def test_temperature_follows_the_schedule(model):
    *_, recording = recorded(
        model,
        lambda: model.generate(**prompts(1), max_denoising_steps=7, t_min=0.3, t_max=1.7, stability_threshold=None),
    )
    expected = [0.3 + (1.7 - 0.3) * remaining / 7 for remaining in range(7, 0, -1)]
    np.testing.assert_allclose(recording.trace.temperature, expected, rtol=1e-6)


def test_temperature_unknown_without_a_schedule(model):
    *_, recording = recorded(model, lambda: model.generate(**prompts(1), t_min=None))
    assert np.isnan(recording.trace.temperature).all()


def test_temperatures_multiply(model):
    warpers = LogitsProcessorList([TemperatureLogitsWarper(2.0)])
    *_, recording = recorded(model, lambda: model.generate(**prompts(1), logits_processor=warpers))
    assert recording.trace.temperature[0] == pytest.approx(2.0 * 0.8)


def test_a_processor_list_used_twice_divides_twice_and_is_reported(model):
    """Upstream appends its schedule to the caller's list, so a second call with that list has two."""
    processors = LogitsProcessorList()
    with record(model) as recording:
        model.generate(**prompts(1), logits_processor=processors)
        with pytest.warns(RecorderWarning, match="2 temperature schedules"):
            model.generate(**prompts(1), logits_processor=processors)
    once, twice = recording.traces
    assert once.temperature[0] == pytest.approx(0.8)
    assert twice.temperature[0] == pytest.approx(0.64)
    assert [notice.code for notice in twice.facts.notices] == [NoticeCode.REPEATED_SCHEDULE]
    assert not once.facts.notices


@settings(max_examples=12)
@given(
    nats=st.sampled_from([1e-6, 0.1, 1.0, 5.0, 60.0]),
    steps=st.integers(1, 6),
    batch=st.integers(1, 3),
    seed=st.integers(0, 2**31),
    top_k=st.sampled_from([2, 8, VOCABULARY, 1000]),
    stability=st.sampled_from([None, 0, 1, 2]),
)
def test_any_run_obeys_the_rules(shared_model, nats, steps, batch, seed, top_k, stability):
    _, trace = run_both(
        shared_model,
        lambda: shared_model.generate(
            **prompts(batch), max_denoising_steps=steps, stability_threshold=stability, **bound(nats)
        ),
        seed=seed,
        top_k=top_k,
    )
    assert trace.top_k == min(top_k, VOCABULARY)
    assert (trace.entropy_bound == np.float32(nats)).all()
    assert (trace.accepted.sum(axis=-1) >= 1).all()
    assert_consistent(trace)


LOGITS = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
    elements=st.one_of(st.floats(-30, 30, width=32), st.just(-np.inf)),
)


@settings(max_examples=60)
@given(values=LOGITS, top_k=st.integers(1, 12), nats=st.floats(0, 8))
def test_reduction_equals_upstreams_own_operations(values, top_k, nats):
    values[..., 0] = np.where(np.isinf(values).all(-1), 0.0, values[..., 0])  # at least one token is possible
    logits = torch.from_numpy(values)
    before = logits.clone()
    candidate = logits.argmax(-1)
    reduced = reduce_logits(logits, candidate, top_k)
    distribution = torch.distributions.Categorical(logits=logits)
    assert torch.equal(logits, before)
    assert torch.equal(reduced["entropy"], distribution.entropy())
    assert torch.equal(reduced["confidence"], distribution.probs.amax(-1))
    assert torch.equal(reduced["candidate_probability"], reduced["confidence"])
    assert reduced["top_k_ids"].shape == (*candidate.shape, min(top_k, logits.shape[-1]))
    sampler = EntropyBoundSampler(EntropyBoundSamplerConfig(1.0), logits.shape[1], logits.shape[2], 1)
    sampler.entropy_bound = nats
    sampler.accept_canvas(candidate, candidate, logits, 1)
    assert torch.equal(accepted_by_rule(reduced["entropy"], nats), sampler.accepted_token_mask)


def test_reduction_in_chunks_is_the_same(monkeypatch):
    logits = torch.randn(2, 9, 50, generator=torch.Generator().manual_seed(0))
    candidate = logits.argmax(-1)
    whole = reduce_logits(logits, candidate, 4)
    monkeypatch.setattr("dgemma_viz.recorders.reduce.CHUNK_ELEMENTS", 200)
    chunked = reduce_logits(logits, candidate, 4)
    for name, values in whole.items():
        torch.testing.assert_close(chunked[name], values)


def test_values_that_are_not_finite_are_recorded_as_such():
    logits = torch.zeros(1, 3, 4)
    logits[0, 0, 1], logits[0, 1, 1] = float("nan"), float("inf")
    reduced = reduce_logits(logits, torch.zeros(1, 3, dtype=torch.long), 2)
    assert reduced["entropy"].isnan().tolist() == [[True, True, False]]
    assert reduced["confidence"][0, 2] == 0.25


@settings(max_examples=60)
@given(
    entropy=hnp.arrays(
        np.float32, hnp.array_shapes(min_dims=2, max_dims=3, max_side=6), elements=st.floats(0, 8, width=32)
    ),
    data=st.data(),
)
def test_entropy_spent_and_mean(entropy, data):
    accepted = data.draw(hnp.arrays(bool, entropy.shape))
    spent, mean = entropy_spent(entropy, accepted), mean_entropy(entropy)
    for place in np.ndindex(spent.shape):
        kept = sorted(entropy[place][accepted[place]].tolist())
        assert spent[place] == pytest.approx(sum(kept[:-1]), abs=1e-5)
        assert mean[place] == pytest.approx(np.mean(entropy[place].astype(float)), abs=1e-5)


@settings(max_examples=60)
@given(drafts=hnp.arrays(np.int32, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.integers(0, 1)))
def test_stable_steps_agree_with_upstreams_history(drafts):
    """A draft is stable for a threshold exactly when the count reaches it."""
    from transformers.models.diffusion_gemma.generation_diffusion_gemma import StableAndConfidentStoppingCriteria

    counts = stable_steps(drafts)
    certain = torch.full((*drafts.shape[1:], 2), -100.0)
    certain[..., 0] = 100.0
    for threshold in (1, 2, 3):
        criteria = StableAndConfidentStoppingCriteria(threshold, 0.5)
        for step, draft in enumerate(drafts):
            assert (criteria(torch.from_numpy(draft), certain).numpy() == (counts[step] >= threshold)).all()
