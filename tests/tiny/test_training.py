import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from dgemma_viz.errors import DgemmaVizError
from dgemma_viz.tiny.batches import Bucket, Draw, make_batch
from dgemma_viz.tiny.courses import COURSES
from dgemma_viz.tiny.schedule import Phase, Schedule
from dgemma_viz.tiny.tasks import TASKS, TAUGHT_TASKS
from dgemma_viz.tiny.training import Recipe, TrainingRun
from dgemma_viz.tiny.workers import Team

SHORT = Bucket(tasks=("sudoku", "sort"), examples=4, prompt_length=24, answer_length=24, canvas_length=24, skew=2.0)
SORT = Bucket(tasks=("sort",), examples=2, prompt_length=24, answer_length=12, canvas_length=48)
LONG = Bucket(tasks=("long",), examples=2, prompt_length=48, answer_length=100, canvas_length=48, canvases=3)
FIRST, LAST = Phase(2, (SHORT,)), Phase(1, (SORT, LONG))
RECIPE = Recipe(Schedule((FIRST, LAST), decay=1, warmup=2), seed=5)
EVERY_KIND = pytest.mark.parametrize("kind", COURSES)


def run_of(recipe=RECIPE, kind="diffusion"):
    return TrainingRun(COURSES[kind].learner, recipe)


def _tensors(run):
    yield from run.model.state_dict().values()
    yield from run.average.weights.values()
    for optimizer in run.optimizers:
        for state in optimizer.state_dict()["state"].values():
            yield from (value for value in state.values() if torch.is_tensor(value))


@EVERY_KIND
def test_an_interrupted_and_resumed_run_equals_an_uninterrupted_one_bit_for_bit(kind, tmp_path):
    whole = run_of(kind=kind)
    losses = [whole.advance()[0] for _ in range(3)]

    first = run_of(kind=kind)
    resumed_losses = [first.advance()[0]]
    first.save(tmp_path / "state.pt")
    torch.manual_seed(999)  # the state of torch's generator must not matter
    second = run_of(kind=kind)
    second.restore(tmp_path / "state.pt")
    resumed_losses += [second.advance()[0], second.advance()[0]]

    assert resumed_losses == losses
    assert second.step == whole.step == 3
    pairs = list(zip(_tensors(whole), _tensors(second), strict=True))
    assert len(pairs) > 10
    assert all(torch.equal(one, other) for one, other in pairs)


def test_another_seed_gives_another_run():
    other = run_of(replace(RECIPE, seed=6))
    assert not torch.equal(other.model.lm_head.weight, run_of(RECIPE).model.lm_head.weight)


def test_a_state_of_other_settings_is_refused(tmp_path):
    run_of(RECIPE).save(tmp_path / "state.pt")
    other = run_of(replace(RECIPE, seed=6))
    with pytest.raises(DgemmaVizError, match="other settings"):
        other.restore(tmp_path / "state.pt")


def test_the_steps_yet_to_come_may_be_changed_on_resuming(tmp_path):
    run = run_of(RECIPE)
    run.save(tmp_path / "state.pt")
    longer = Schedule((replace(FIRST, steps=20),), decay=5, warmup=2)
    run_of(replace(RECIPE, schedule=longer)).restore(tmp_path / "state.pt")
    longest = replace(longer, phases=(replace(FIRST, steps=30),))
    assert longer.agrees_until(longest, 16)
    assert not longer.agrees_until(longest, 17), "one has begun to lower the learning rate"
    assert not longer.agrees_until(RECIPE.schedule, 3), "one is in its last phase"


def test_training_leaves_the_callers_random_state_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    run_of(RECIPE)
    assert torch.equal(torch.rand(3), expected)


def test_learning_rate_warms_up_holds_and_decays():
    schedule = Schedule((replace(FIRST, steps=1000),), decay=200, peak=1.0, warmup=100)
    rates = [schedule.learning_rate(step) for step in range(1000)]
    assert rates[0] == 0.01
    assert rates[99] == rates[799] == 1.0
    assert rates[900] == 0.5
    assert rates[-1] == 0.05


def test_a_second_round_goes_on_from_the_average_as_if_it_began_there(tmp_path):
    first = RECIPE.schedule
    both = Recipe(Schedule((FIRST,), decay=2, peak=1e-3, warmup=1, after=first), seed=5)
    run = run_of(both)
    assert [run.recipe.schedule.learning_rate(step) for step in range(5)] == [1e-3, 2e-3, 2e-3, 1e-3, 5e-4]
    for _ in range(3):
        run.advance()
    run.save(tmp_path / "state.pt")
    anew = run_of(both)
    anew.restore(tmp_path / "state.pt")
    anew.optimizers = run_of(both).optimizers  # of another model: none of what they know may be used
    with torch.no_grad():
        for parameter in anew.model.parameters():
            parameter.zero_()
    assert anew.advance() == run.advance()
    assert all(torch.equal(one, other) for one, other in zip(_tensors(run), _tensors(anew), strict=True))
    assert not first.agrees_until(both.schedule, 4)
    assert first.agrees_until(both.schedule, 3)


def test_a_round_that_does_not_go_on_from_the_average_begins_it_anew():
    first = RECIPE.schedule
    run = run_of(Recipe(Schedule((FIRST,), decay=2, warmup=1, after=first, averaged=False), seed=5))
    for _ in range(3):
        run.advance()
    live = {name: parameter.detach().clone() for name, parameter in run.model.named_parameters()}
    assert not all(torch.equal(live[name], weights) for name, weights in run.average.weights.items())
    run.advance()
    # The first step of an average keeps a tenth of where it began: the live weights, not the earlier average.
    for name, parameter in run.model.named_parameters():
        torch.testing.assert_close(run.average.weights[name], live[name].lerp(parameter.detach(), 0.9))
    assert not run.recipe.schedule.agrees_until(replace(run.recipe.schedule, averaged=True), 4)


def test_what_is_learned_of_an_exercise_follows_from_its_prompt():
    tokenizer = COURSES["diffusion"].learner.tokenizer()
    buckets = {bucket for phase in COURSES["diffusion"].schedule.every_phase for bucket in phase.buckets}
    every = {bucket.tasks[0]: bucket for bucket in buckets if bucket.learned_every > 1}
    assert set(every) == {"pairs", "story cues"}
    for name, bucket in every.items():
        batch = make_batch(bucket, tokenizer, Draw(seed=0, step=0, index=0))
        for row, learned in zip(batch.tokens, batch.supervised, strict=True):
            prompt, answer = (
                tokenizer.decode(ids, skip_special_tokens=True)
                for ids in (row[: bucket.prompt_length], row[bucket.prompt_length :])
            )
            words, said = re.findall(r" \w+", answer), tokenizer.convert_ids_to_tokens(row[learned])
            assert said == words[bucket.learned_every - 1 :: bucket.learned_every]
            assert len(said) * bucket.learned_every == len(words)
            assert set(said) <= set(re.findall(r" \w+", prompt))
            assert TAUGHT_TASKS[name].check(prompt, answer)


def test_workers_share_a_batch_without_overlap():
    rows = np.arange(10)
    shares = [Team(rank, 2).share(rows) for rank in range(2)]
    assert sorted(np.concatenate(shares)) == list(rows)


@EVERY_KIND
def test_training_lowers_the_loss(kind):
    recipe = Recipe(Schedule((Phase(30, (SORT,)),), decay=1, warmup=5))
    run = run_of(recipe, kind)
    losses = [sum(run.advance()[0]["sort 48"].values()) for _ in range(30)]
    assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])


def test_every_task_is_taught_and_no_batch_outgrows_its_columns():
    tokenizer, random = COURSES["diffusion"].learner.tokenizer(), np.random.default_rng(0)
    phases = COURSES["diffusion"].schedule.every_phase
    taught = [{task for bucket in phase.buckets for task in bucket.tasks} for phase in phases]
    assert taught[-1] >= set(TASKS), "what is not practised at the end is lost"
    assert set().union(*taught) == set(TAUGHT_TASKS)
    last = phases[-1].buckets
    for bucket in {bucket for phase in phases for bucket in phase.buckets if not bucket.questions}:
        for task in set(bucket.tasks):
            for _ in range(200):
                example = TAUGHT_TASKS[task].sample(random)
                if len(example.answer) > bucket.longest_text:
                    continue
                answer = len(tokenizer.encode(example.answer, add_special_tokens=False))
                # Before the last phase the encoder may miss the end of the longest answers.
                read = answer + 1 if bucket in last else answer
                assert len(tokenizer.encode(example.prompt)) <= bucket.prompt_length
                assert read <= bucket.answer_length or not bucket.answer_length
                assert answer < bucket.canvases * bucket.canvas_length
