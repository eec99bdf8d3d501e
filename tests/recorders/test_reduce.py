"""The fast reduction of wide vocabularies against entropies in double precision, and against upstream's operations."""

import pytest
import torch
from diffusers import BlockRefinementScheduler, DiffusionGemmaPipeline, DiscreteDDIMScheduler, EntropyBoundScheduler

from dgemma_viz.labs.samplers.diffusers_schedulers import GivenIds
from dgemma_viz.recorders import record
from dgemma_viz.recorders.reduce import entropy_of, reduce_logits
from dgemma_viz.recorders.running_sampler import SamplerNumbers
from tests.recorders.conftest import CANVAS, prompts, small_model
from tests.recorders.pipelines import assert_follows, called

WIDE = 2**14 + 300
"""Just wide enough for the fast way, and no multiple of a block."""


def logits_of(dtype=torch.float32, batch=2, length=7):
    """Flat and peaked positions, and tokens that are ruled out."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, length, WIDE, generator=generator) * torch.linspace(0, 12, length)[:, None]
    logits[:, 3, ::2] = -torch.inf
    logits[:, 4, 1:] = -torch.inf
    return logits.to(dtype)


@pytest.mark.parametrize("in_cache", [2**18, 20_000], ids=["one chunk", "a row each"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_fast_way_gives_the_entropy(monkeypatch, dtype, in_cache):
    monkeypatch.setattr("dgemma_viz.recorders.reduce.CACHE_ELEMENTS", in_cache)
    logits = logits_of(dtype)
    before = logits.clone()
    candidate = torch.randint(WIDE, logits.shape[:-1], generator=torch.Generator().manual_seed(1))
    reduced = reduce_logits(logits, candidate, 8)
    assert torch.equal(logits, before)
    exact = torch.distributions.Categorical(logits=logits.double())
    torch.testing.assert_close(reduced["entropy"], exact.entropy(), rtol=2e-6, atol=1e-7, check_dtype=False)
    near = {"rtol": 2e-5, "atol": 1e-7, "check_dtype": False}  # as near as torch's own softmax
    best = exact.probs.topk(8).values
    torch.testing.assert_close(reduced["confidence"], best[..., 0], **near)
    torch.testing.assert_close(reduced["top_k_probabilities"], best, **near)
    torch.testing.assert_close(
        reduced["candidate_probability"], exact.probs.gather(-1, candidate[..., None])[..., 0], **near
    )
    assert torch.equal(reduced["draft"], logits.argmax(-1))
    assert reduced["entropy"][:, 4].tolist() == [0, 0]


def test_values_that_are_not_finite_spoil_their_own_position_only():
    logits = logits_of()
    logits[0, 0, 5], logits[0, 1, 5], logits[1, 2] = torch.nan, torch.inf, -torch.inf
    spoiled = torch.zeros(2, 7, dtype=torch.bool)
    spoiled[0, 0] = spoiled[0, 1] = spoiled[1, 2] = True
    for bitwise in (False, True):
        reduced = reduce_logits(logits, logits.argmax(-1), 3, bitwise=bitwise)
        for name in ("entropy", "confidence", "candidate_probability"):
            assert torch.equal(reduced[name].isnan(), spoiled), name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_to_the_last_bit_where_entropies_decide(dtype):
    logits = logits_of(dtype)
    upstream = torch.distributions.Categorical(logits=logits)
    reduced = reduce_logits(logits, logits.argmax(-1), 3, bitwise=True)
    assert torch.equal(reduced["entropy"], upstream.entropy())
    assert torch.equal(entropy_of(logits), upstream.entropy())
    assert torch.equal(reduced["confidence"], upstream.probs.amax(-1))


@pytest.fixture(scope="module")
def wide_model():
    return small_model(vocab_size=WIDE)


@pytest.mark.parametrize(
    ("scheduler", "temperature", "dtype"),
    [
        (EntropyBoundScheduler, 0.0, torch.float32),
        (EntropyBoundScheduler, 0.0, torch.bfloat16),
        (BlockRefinementScheduler, 0.0, torch.bfloat16),
        (BlockRefinementScheduler, 0.7, torch.float32),
        (DiscreteDDIMScheduler, 0.7, torch.float32),
    ],
)
def test_a_wide_pipeline_is_recorded_and_left_alone(wide_model, monkeypatch, scheduler, temperature, dtype):
    model = wide_model.to(dtype)
    options = {"gen_length": CANVAS, "num_inference_steps": 5, "temperature": temperature}
    options |= {"confidence_threshold": 8.0, "stability_threshold": 1}
    pipe = DiffusionGemmaPipeline(model=model, scheduler=scheduler(), processor=GivenIds(None, prompts(2)))
    pipe.set_progress_bar_config(disable=True)

    def run():
        with record(pipe) as recording:
            return *called(pipe, **options), recording.trace

    plain, state, _ = called(pipe, **options)
    sequences, state_after, _, trace = run()
    assert torch.equal(plain, sequences)
    assert torch.equal(state, state_after)
    assert_follows(trace)
    monkeypatch.setattr(SamplerNumbers, "complete", lambda *_: None)
    computed = run()[-1]
    for name in ("draft", "finished", "decision", "emitted"):
        assert (getattr(trace, name) == getattr(computed, name)).all(), name
    if scheduler is EntropyBoundScheduler:
        assert (trace.entropy == computed.entropy).all(), "bit for bit"
