"""What is taken from upstream's sampler is what it computed, and is taken only where that is safe."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from transformers.models.diffusion_gemma.generation_diffusion_gemma import (
    EntropyBoundSampler,
    EntropyBoundSamplerConfig,
)

from dgemma_viz.recorders.reduce import DTYPES, reduce_logits
from dgemma_viz.recorders.running_sampler import SamplerNumbers, watched
from tests.recorders.conftest import CANVAS, prompts
from tests.recorders.same_run import recorded

SIZES = (2, 6, 5_000)


class OwnSampler(EntropyBoundSampler):
    """Sorts something else first."""

    def accept_canvas(self, current_canvas, denoiser_canvas, logits, cur_step):
        torch.sort(torch.randn(logits.shape[:-1]))
        return super().accept_canvas(current_canvas, denoiser_canvas, logits, cur_step)


def accepting(sampler_class=EntropyBoundSampler, compiled=False):
    generator = torch.Generator().manual_seed(3)
    logits = 4 * torch.randn(SIZES, generator=generator)
    logits[0, 0, 17] = -torch.inf
    canvas, candidate = torch.randint(SIZES[-1], (2, *SIZES[:2]), generator=generator)
    sampler = sampler_class(EntropyBoundSamplerConfig(2.0), *SIZES[1:], max_denoising_steps=1)
    accept = torch.compile(sampler.accept_canvas, backend="eager") if compiled else sampler.accept_canvas
    with watched(accept, EntropyBoundSampler.accept_canvas) as numbers:
        accept(canvas, candidate, logits, 1)
    return logits, candidate, numbers.complete(logits)


def test_the_sampler_s_own_entropy_to_the_last_bit():
    logits, candidate, known = accepting()
    entropy, _ = known
    assert torch.equal(entropy, torch.distributions.Categorical(logits=logits).entropy())
    plain, taken = reduce_logits(logits, candidate, 5), reduce_logits(logits, candidate, 5, known)
    for name in DTYPES:
        assert torch.equal(plain[name], taken[name]), name


@pytest.mark.parametrize("how", [{"sampler_class": OwnSampler}, {"compiled": True}])
def test_other_samplers_and_compiled_ones_are_not_watched(how):
    *_, known = accepting(**how)
    assert known is None


def test_what_does_not_fit_the_logits_is_not_taken():
    logits = torch.zeros(SIZES)
    assert SamplerNumbers(torch.zeros(SIZES), torch.zeros(SIZES[:1])).complete(logits) is None
    assert SamplerNumbers(torch.zeros(SIZES[:2]), torch.zeros(SIZES[:2])).complete(logits) is None


def test_a_trace_is_the_same_without_watching(model, monkeypatch):
    def run():
        *_, recording = recorded(model, lambda: model.generate(**prompts(3), max_new_tokens=2 * CANVAS))
        return recording.trace

    taken = run()
    monkeypatch.setattr("dgemma_viz.recorders.diffusion_gemma.watched", lambda *_: nullcontext(SamplerNumbers()))
    computed = run()
    for name in (*DTYPES, "draft", "accepted", "emitted"):
        np.testing.assert_array_equal(getattr(taken, name), getattr(computed, name), err_msg=name)
