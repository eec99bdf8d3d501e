from dataclasses import replace

import numpy as np
import pytest
import torch

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny.batches import Bucket
from dgemma_viz.tiny.schedule import Phase, Schedule
from dgemma_viz.tiny.training import Recipe, TrainingRun
from dgemma_viz.tiny.workers import Team

FIRST = Phase(2, (Bucket(("sudoku", "sort"), 4, 24, 24, 24),), skew=2.0)
LAST = Phase(1, (Bucket(("sort",), 2, 24, 12, 48), Bucket(("long",), 2, 48, 100, 48, canvases=3)), skew=1.0)
RECIPE = Recipe(Schedule((FIRST, LAST), decay=1, warmup=2), seed=5)


def _tensors(run):
    yield from run.model.state_dict().values()
    yield from run.average.weights.values()
    for state in run.optimizer.state_dict()["state"].values():
        yield from (value for value in state.values() if torch.is_tensor(value))


def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(tmp_path):
    whole = TrainingRun(RECIPE)
    losses = [whole.advance()[0] for _ in range(3)]

    first = TrainingRun(RECIPE)
    resumed_losses = [first.advance()[0]]
    first.save(tmp_path / "state.pt")
    torch.manual_seed(999)  # the state of torch's generator must not matter
    second = TrainingRun(RECIPE)
    second.restore(tmp_path / "state.pt")
    resumed_losses += [second.advance()[0], second.advance()[0]]

    assert resumed_losses == losses
    assert second.step == whole.step == 3
    pairs = list(zip(_tensors(whole), _tensors(second), strict=True))
    assert len(pairs) > 100
    assert all(torch.equal(one, other) for one, other in pairs)


def test_another_seed_gives_another_run():
    other = TrainingRun(replace(RECIPE, seed=6))
    assert not torch.equal(other.model.lm_head.weight, TrainingRun(RECIPE).model.lm_head.weight)


def test_a_state_of_other_settings_is_refused(tmp_path):
    TrainingRun(RECIPE).save(tmp_path / "state.pt")
    other = TrainingRun(replace(RECIPE, seed=6))
    with pytest.raises(DgemmaVizError, match="other settings"):
        other.restore(tmp_path / "state.pt")


def test_the_steps_yet_to_come_may_be_changed_on_resuming(tmp_path):
    run = TrainingRun(RECIPE)
    run.save(tmp_path / "state.pt")
    longer = Schedule((replace(FIRST, steps=20),), decay=5, warmup=2)
    TrainingRun(replace(RECIPE, schedule=longer)).restore(tmp_path / "state.pt")
    longest = replace(longer, phases=(replace(FIRST, steps=30),))
    assert longer.agrees_until(longest, 16)
    assert not longer.agrees_until(longest, 17), "one has begun to lower the learning rate"
    assert not longer.agrees_until(RECIPE.schedule, 3), "one is in its last phase"


def test_training_leaves_the_callers_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    TrainingRun(RECIPE)
    assert torch.equal(torch.rand(3), expected)


def test_learning_rate_warms_up_holds_and_decays():
    schedule = Schedule((replace(FIRST, steps=1000),), decay=200, peak=1.0, warmup=100)
    rates = [schedule.learning_rate(step) for step in range(1000)]
    assert rates[0] == 0.01
    assert rates[99] == rates[799] == 1.0
    assert rates[900] == 0.5
    assert rates[-1] == 0.05


def test_workers_share_a_batch_without_overlap():
    rows = np.arange(10)
    shares = [Team(rank, 2).share(rows) for rank in range(2)]
    assert sorted(np.concatenate(shares)) == list(rows)
