from datetime import UTC, datetime

import pytest

from dgemma_viz.widgets.lab_run import LabRun
from tests.handmade import handmade_trace
from tests.synthetic import synthetic_trace
from tests.widgets.lab_traces import lab_trace

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def lab_run(trace, number=1):
    return LabRun(number, NOON, trace)


def test_the_row_names_what_differs_from_the_defaults():
    run = lab_run(lab_trace(parameters={"max_denoising_steps": 7, "confidence_threshold": None}, seed=3), number=4)
    row = run.row(None)
    assert row["changed"] == ["Steps 7", "Confident below off"]
    assert (row["number"], row["time"], row["seed"], row["steps"]) == (4, "12:00:00", "3", "10")
    assert row["sampler"] == "Entropy bound (transformers)"
    assert (row["against"], row["where"]) == (0, "")
    assert run.file_name == "run-4-entropy_bound-seed-3.safetensors"


def test_tasks_by_their_titles_and_prompts_of_ones_own():
    assert lab_run(lab_trace(task={"name": "sudoku"})).row(None)["task"] == "Sudoku 4×4"
    own = lab_run(lab_trace(task={"prompt": "<b>\u202ehello"})).row(None)
    assert own["task"] == "own prompt"
    assert "\u202e" not in own["prompt"]


def test_right_wrong_and_not_judged():
    output = synthetic_trace().output_text()
    assert lab_run(lab_trace(task={"reference": output})).verdict == "✓ right"
    assert lab_run(lab_trace(task={"reference": "something else"})).verdict == "✗ wrong"
    assert lab_run(lab_trace()).verdict == "not judged"


@pytest.mark.parametrize(("status", "word"), [("failed", "✕ failed"), ("interrupted", "‖ cancelled")])
def test_a_run_that_did_not_end_says_so_whatever_it_had(status, word):
    assert lab_run(lab_trace(status=status, task={"reference": "x"})).verdict == word


def test_where_it_parts_from_another():
    a, b = (lab_run(handmade_trace(rows)) for rows in (["a b", "b b"], ["a b", "b a"]))
    where, why = b.difference(a)
    assert where == "canvas 0, step 1"
    assert why
    assert a.difference(a)[0] == "none"


def test_another_vocabulary_cannot_be_compared():
    other = lab_run(lab_trace(texts=("<pad>", "<eos>", "other")))
    assert lab_run(lab_trace()).difference(other)[0] == "not comparable"
