"""Run a generation with and without recording from the same seed, and compare everything that can differ."""

import torch

from dgemma_viz.recorders import record


def plain(generate, seed=12):
    torch.manual_seed(seed)
    result = generate()
    return result, torch.get_rng_state()


def recorded(model, generate, tokenizer=None, seed=12, **options):
    with record(model, tokenizer, **options) as recording:
        result, state = plain(generate, seed)
    return result, state, recording


def assert_same(first, second):
    """Two generation outputs and the random states after them are equal, bit for bit."""
    assert torch.equal(first[0].sequences, second[0].sequences)
    assert torch.equal(first[0].tokens_per_forward, second[0].tokens_per_forward)
    assert torch.equal(first[1], second[1]), "the random generators differ afterwards"


def run_both(model, generate, tokenizer=None, seed=12, **options):
    """Assert that recording changes nothing; return the output and the trace."""
    without = plain(generate, seed)
    *with_it, recording = recorded(model, generate, tokenizer, seed, **options)
    assert_same(without, with_it)
    return with_it[0], recording.trace
