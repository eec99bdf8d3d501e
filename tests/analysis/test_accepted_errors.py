"""Wrong tokens that were accepted: on runs made by hand, of one right answer and of several."""

from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.accepted_errors import accepted_errors, contradictions, healed_fractions
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.labs.run import run
from tests.handmade import handmade_trace

ANSWER = "1234"


@pytest.fixture(scope="module")
def repaired():
    """Everything is accepted in every step; the first token is a wrong one until the last."""
    trace = handmade_trace(["2 2 3 4 <eos>", "3 2 3 4 <eos>", "1 2 3 4 <eos>"])
    return replace(trace, facts=replace(trace.facts, task={"name": "row", "prompt": "row", "reference": ANSWER}))


def test_the_repair_is_found_and_called_healed(repaired):
    (row,) = accepted_errors(repaired, judge(repaired)).itertuples()
    assert (row.position, row.accepted, row.expected, row.step) == (0, "2", "1", 0)
    assert row.healed
    assert not row.kept
    assert (row.others_wrong, row.others_judged) == (0, 4)


def test_against_another_reference_the_emitted_token_is_an_error_that_was_kept(repaired):
    table = accepted_errors(repaired, judge(repaired, "9234"))
    row = table[table.position == 0].iloc[0]
    assert not row.healed
    assert not row.kept, "the token that was accepted first is not the one that was emitted"
    changed = accepted_errors(repaired, judge(repaired, "1934"))
    assert changed[changed.position == 1].iloc[0].kept
    assert changed[changed.position == 0].iloc[0].others_wrong == 1


def test_nothing_judged_nothing_found(repaired):
    assert accepted_errors(repaired, judge(repaired, lambda *_: False)).empty


def test_fractions_by_task_count_every_error_once(repaired):
    healthy = run(*dv.load_tiny(), "sort 1493=", seed=0)
    table = healed_fractions(RunSet.of([repaired, repaired, healthy])).set_index("task")
    assert table.loc["row", ["runs", "errors", "healed"]].tolist() == [2, 2, 2]
    assert table.loc["row", "low"] < table.loc["row", "fraction"] <= table.loc["row", "high"]
    assert table.loc["sort", "runs"] == 1
    assert healed_fractions([]).empty


GRID = ["1 2 x x", "1 1 2 2", "1 2 2 1", "1 2 2 1"]


def grid_run(accepted, right):
    """A row of 1 and 2, each twice, made in four steps; ``right`` names the right answer nearest to what is known."""
    trace = handmade_trace([f"{row} <eos>" for row in GRID])
    taken = np.array(accepted, dtype=bool)[:, None]
    taken = np.concatenate([taken, np.ones((4, 1, 1), dtype=bool)], axis=2)
    trace = replace(trace, accepted=taken, decision=None)
    return Run.of(trace, lambda _prompt, text: right(text))


def nearest(text):
    """Of the two answers 1221 and 1122 the one that keeps more of the text."""
    return max(("1221", "1122"), key=lambda answer: sum(a == b for a, b in zip(answer, text, strict=True)))


def test_where_answers_are_many_tokens_contradict_each_other():
    run = grid_run([[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]], nearest)
    assert run.right
    assert contradictions(run, "_").empty, "11 is the beginning of an answer, though another one was emitted"
    assert accepted_errors(run.trace, run.judgement).position.tolist() == [1]


def test_a_contradiction_is_found_once_and_followed_to_the_end():
    run = grid_run([[1, 1, 0, 0], [1, 0, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]], lambda _: "1221")
    (row,) = contradictions(run, "_").itertuples()
    assert (row.position, row.step, row.accepted, row.expected) == (3, 1, "2", "1")
    assert row.healed
    assert not row.kept
    assert (row.others_wrong, row.others_judged) == (0, 4)
    assert healed_fractions([run], "_")[["errors", "healed"]].to_numpy().tolist() == [[1, 1]]


def test_on_a_task_with_one_answer_both_ways_of_counting_agree(repaired):
    found = Run.of(repaired, lambda _prompt, _text: ANSWER)
    columns = ["position", "step", "accepted", "expected", "healed"]
    one, other = accepted_errors(repaired, found.judgement)[columns], contradictions(found, "_")[columns]
    assert one.to_numpy().tolist() == other.to_numpy().tolist()
    assert contradictions(Run.of(repaired), "_").empty, "a text knows no other answer"


def test_of_a_sticky_sampler_the_token_that_stands_is_judged_and_not_the_candidate_beside_it():
    setting = {"threshold": 0.0, "temperature": 4.0, "max_denoising_steps": 6, "confidence_threshold": None}
    trace = run(*dv.load_tiny(), "sudoku 234_/_1__/__2_/3__4=", "block_refinement", setting, seed=0)
    judgement = judge(trace)
    table = accepted_errors(trace, judgement)
    assert len(table) == judgement.wrong.sum() > 0
    assert table.kept.all()
    assert not table.healed.any()
