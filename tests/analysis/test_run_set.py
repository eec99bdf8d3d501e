"""Runs side by side: in memory, in files, in batches."""

import pytest

from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet, of_one_prompt, prompts
from dgemma_viz.errors import SettingError, TraceFileError
from dgemma_viz.tiny.tasks import TASKS
from tests.handmade import handmade_trace
from tests.hurried_runs import SEEDS, grid_prompts, hurried_runs
from tests.synthetic import synthetic_trace


def test_a_run_says_what_was_asked_and_what_came_out():
    run = Run.of(handmade_trace(["a b <eos>"], seed=7), "ab")
    assert (run.prompt, run.seed, run.output, run.right, run.ended) == ("say it", 7, "ab", True, True)
    assert run.judgement.reference == "ab"


def test_runs_in_files_are_opened_when_needed(tmp_path):
    kept = hurried_runs()
    for index, run in enumerate(kept[:4]):
        run.trace.save(tmp_path / f"{index}.safetensors")
    filed = RunSet.of(sorted(tmp_path.iterdir()), TASKS["grid"].right_answer)
    assert [run.right for run in filed] == [run.right for run in kept[:4]]
    assert filed.table().equals(kept[:4].table())
    assert filed[2].trace.output_text() == kept[2].output
    (tmp_path / "2.safetensors").unlink()
    with pytest.raises(TraceFileError):
        _ = filed[2].trace


def test_every_sample_of_a_batch_is_a_run():
    runs = RunSet.of([synthetic_trace(samples=3), synthetic_trace()], "the cat")
    assert [run.sample for run in runs] == [0, 1, 2, 0]
    assert {run.right for run in runs} == {False}


def test_a_run_without_a_reference_is_neither_right_nor_wrong():
    run = RunSet.of([synthetic_trace()])[0]
    assert run.judgement is None
    assert run.right is None


def test_a_run_that_was_cut_off_has_not_ended():
    run = Run.of(handmade_trace(["a b"], status="interrupted"), "ab")
    assert (run.right, run.ended, run.output) == (None, False, "")


def test_choosing_and_slicing():
    runs = hurried_runs()
    assert prompts(runs) == grid_prompts()
    assert len(runs.where(prompt=grid_prompts()[1])) == len(SEEDS)
    assert {run.seed for run in runs.where(seed=2)} == {2}
    assert len(runs.where(task="grid", seed=0)) == len(grid_prompts())
    assert not len(runs.where(task="sudoku"))
    assert isinstance(runs[1:3], RunSet)
    assert runs[1:3][0] is runs[1]


def test_the_table_and_the_repr():
    table = hurried_runs().table()
    assert table["run"].tolist() == list(range(15))
    assert table["right"].notna().all()
    assert "of 15 right" in repr(hurried_runs())
    assert RunSet().table().empty
    assert "0 runs" in repr(RunSet())


def test_answers_to_several_prompts_are_not_compared():
    with pytest.raises(SettingError, match="5 prompts"):
        of_one_prompt(hurried_runs())
