"""Decisions read from diffusers' schedulers: a canvas worked by hand, and what must hold for any logits."""

from types import SimpleNamespace

import hypothesis.strategies as st
import pytest
import torch
from diffusers import BlockRefinementScheduler, DiscreteDDIMScheduler, EntropyBoundScheduler
from hypothesis import given

from dgemma_viz.errors import RecordingError
from dgemma_viz.recorders.scheduler_decisions import FOLLOWERS, DiscreteDDIM, followed_class
from dgemma_viz.trace import Decision

NOISE, ACCEPTED, KEPT, EDITED, CORRECTED = Decision


def row(*ids):
    return torch.tensor([ids])


def test_ancestral_steps_by_hand():
    """A position that holds the candidate is accepted; one that stayed is kept if it once held a candidate."""
    follower = DiscreteDDIM(scheduler=None)

    def step(timestep, sample, candidate, after):
        arguments = {"timestep": timestep, "sample": row(*sample), "model_output": torch.zeros(1, 4, 9)}
        follower.before(arguments)
        output = SimpleNamespace(sampled_tokens=row(*candidate), prev_sample=row(*after))
        return follower.after(arguments, output).decision[0].tolist()

    assert step(0, (1, 2, 3, 4), (5, 5, 3, 5), (5, 2, 3, 8)) == [ACCEPTED, NOISE, ACCEPTED, NOISE]
    assert step(1, (5, 2, 3, 8), (6, 6, 6, 6), (5, 2, 7, 6)) == [KEPT, NOISE, NOISE, ACCEPTED]
    assert step(2, (5, 2, 7, 0), (6, 2, 6, 6), (5, 2, 7, 0)) == [KEPT, ACCEPTED, NOISE, NOISE], (
        "0 was put there by hand"
    )

    positions, log_p = torch.tensor([[1, 2]]), torch.full((1, 4, 9), 1 / 9).log()
    follower.chosen(positions, log_p)
    sweep = follower.after_sweep({"sample": row(5, 2, 7, 0)}, SimpleNamespace(prev_sample=row(5, 2, 1, 0)))
    assert sweep.decision[0].tolist() == [KEPT, CORRECTED, CORRECTED, NOISE]
    assert sweep.candidate.tolist() == [[5, 2, 1, 0]]
    assert step(3, (5, 2, 1, 0), (8, 8, 8, 8), (5, 2, 1, 0)) == [KEPT, KEPT, KEPT, NOISE]
    assert step(0, (5, 2, 1, 0), (8, 8, 8, 8), (5, 2, 1, 0)) == [NOISE] * 4, "a new canvas begins with noise"


SCHEDULERS = {
    "entropy bound": lambda draw: EntropyBoundScheduler(entropy_bound=draw(st.floats(0.01, 5))),
    "block refinement": lambda draw: BlockRefinementScheduler(
        threshold=draw(st.floats(0, 1)), editing_threshold=draw(st.none() | st.floats(0, 1))
    ),
    "DDIM": lambda draw: DiscreteDDIMScheduler(corrector_steps=1, corrector_k=draw(st.integers(1, 7))),
}


@pytest.mark.parametrize("name", SCHEDULERS)
@given(data=st.data())
def test_decisions_explain_every_canvas(name, data):
    """In a vocabulary of four tokens, where noise often equals a candidate."""
    scheduler = SCHEDULERS[name](data.draw)
    steps, temperature = data.draw(st.integers(1, 6)), data.draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    random = torch.Generator().manual_seed(data.draw(st.integers(0, 10_000)))
    scheduler.set_timesteps(steps)
    follower = FOLLOWERS[type(scheduler).__name__](scheduler)
    if isinstance(follower, DiscreteDDIM):
        select = scheduler._select_positions

        def chosen(sample, log_p, generator):
            follower.chosen(positions := select(sample, log_p, generator), log_p)
            return positions

        scheduler._select_positions = chosen
    canvas = torch.randint(4, (2, 7), generator=random)
    from_candidate = torch.zeros_like(canvas, dtype=torch.bool)

    def check(before, decided, after):
        nonlocal from_candidate
        put = torch.isin(decided.decision, torch.tensor([ACCEPTED, EDITED, CORRECTED]))
        kept = decided.decision == KEPT
        assert (after == decided.candidate)[put].all()
        assert (after == before)[kept].all()
        assert from_candidate[kept].all(), "kept, but no candidate put it there"
        assert not ((decided.decision == EDITED) & ~from_candidate).any()
        from_candidate = put | kept

    for step in range(steps):
        arguments = {
            "model_output": torch.randn(2, 7, 4, generator=random) * 4,
            "timestep": step,
            "sample": canvas,
            "generator": random,
        }
        if name != "entropy bound":
            arguments["temperature"] = temperature
        follower.before(arguments)
        output = scheduler.step(**arguments)
        decided = follower.after(arguments, output)
        check(canvas, decided, output.prev_sample)
        canvas = output.prev_sample
        if isinstance(follower, DiscreteDDIM) and step < steps - 1:
            sweep = {"model_output": torch.randn(2, 7, 4, generator=random), "timestep": step, "sample": canvas}
            output = scheduler.step_correct(**sweep, generator=random)
            check(canvas, follower.after_sweep(sweep, output), output.prev_sample)
            canvas = output.prev_sample
    if name != "entropy bound":
        assert from_candidate.all(), "the last step leaves noise"


@given(data=st.data())
def test_probabilities_are_those_that_were_sampled_from(data):
    """For a fixed scheduler seed, the candidate is what inverse sampling of the recorded distribution gives."""
    temperature = data.draw(st.floats(0.1, 3.0))
    seed = data.draw(st.integers(0, 10_000))
    logits = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(seed)) * 3
    for scheduler in (BlockRefinementScheduler(), DiscreteDDIMScheduler()):
        scheduler.set_timesteps(3)
        follower = FOLLOWERS[type(scheduler).__name__](scheduler)
        arguments = {"model_output": logits, "timestep": 0, "sample": torch.zeros(2, 7, dtype=torch.long)}
        arguments |= {"temperature": temperature, "generator": torch.Generator().manual_seed(seed)}
        follower.before(arguments)
        decided = follower.after(arguments, scheduler.step(**arguments))
        p = decided.logits.softmax(-1).view(-1, 5)
        again = torch.multinomial(p, 1, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(decided.candidate.view(-1), again[:, 0])
        assert decided.temperature == temperature


def test_the_class_that_is_followed():
    class Mine(EntropyBoundScheduler):
        pass

    assert followed_class(Mine()) is EntropyBoundScheduler
    with pytest.raises(RecordingError, match=r"the scheduler SimpleNamespace is not known.*DiscreteDDIMScheduler"):
        followed_class(SimpleNamespace())
