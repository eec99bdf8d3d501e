"""Outputs against right answers: which tokens are wrong, and what they should have been."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.analysis.reference import align, cut, judge
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.trace import RunTask
from tests.synthetic import synthetic_trace

SUDOKU = "sudoku 32__/14_3/41__/___1="
SOLVED = "3214/1423/4132/2341"


@pytest.fixture(scope="module")
def sudoku():
    return run(*dv.load_tiny(), SUDOKU, seed=0)


def test_a_right_answer_has_no_wrong_token(sudoku):
    judgement = judge(sudoku, SOLVED)
    assert judgement.output == SOLVED
    assert judgement.answer_right
    assert judgement.judged[0].tolist() == [True] * 20 + [False] * 28
    assert not judgement.wrong.any()
    assert judgement.ends[0, 19]
    assert judgement.missing == ()


def test_a_changed_reference_makes_exactly_that_token_wrong(sudoku):
    judgement = judge(sudoku, f"{SOLVED[:6]}3{SOLVED[7:]}")
    assert not judgement.answer_right
    assert np.argwhere(judgement.wrong).tolist() == [[0, 6]]
    assert judgement.expected[0, 6] == "3"


def test_drafts_are_judged_at_each_step(sudoku):
    run = sudoku.canvas_run()
    right = judge(sudoku, SOLVED).right_drafts(run)
    texts = np.array([[run.token_text(token) for token in row] for row in run.array("draft")])
    np.testing.assert_array_equal(right[:, :19], texts[:, :19] == np.array(list(SOLVED)))
    np.testing.assert_array_equal(right[:, 19], run.array("draft")[:, 19] == sudoku.facts.eos_token_ids[0])
    assert not right[:, 20:].any()
    assert right[-1, :20].all()


def test_the_draft_heads_the_alternatives(sudoku):
    run, judgement = sudoku.canvas_run(), judge(sudoku, SOLVED)
    np.testing.assert_array_equal(judgement.right_alternatives(run)[..., 0], judgement.right_drafts(run))


def test_an_answer_that_ends_too_early_is_wrong_where_it_ends(sudoku):
    judgement = judge(sudoku, f"{SOLVED}/1234")
    assert np.argwhere(judgement.wrong).tolist() == [[0, 19]]
    assert judgement.expected[0, 19] == "/1234"
    assert judgement.missing == ((0, 19, "/1234"),)


def test_an_answer_that_is_too_long_should_have_ended(sudoku):
    judgement = judge(sudoku, SOLVED[:14])
    assert np.flatnonzero(judgement.wrong[0]).tolist() == [14, 15, 16, 17, 18]
    assert judgement.ends[0, 14:20].all()
    assert judgement.expected[0, 14] == ""


@pytest.mark.parametrize(
    ("verdict", "right", "judged"), [(True, True, 20), (False, False, 0), (np.True_, True, 20), (SOLVED, True, 20)]
)
def test_a_checker_may_return_a_verdict_or_the_answer(sudoku, verdict, right, judged):
    seen = []

    def checker(prompt, completion):
        seen.append((prompt, completion))
        return verdict

    judgement = judge(sudoku, checker)
    assert judgement.answer_right is right
    assert judgement.judged.sum() == judged
    assert seen == [(SUDOKU, SOLVED)]


def test_the_run_s_own_task_is_the_reference(sudoku):
    assert sudoku.facts.task == RunTask(prompt=SUDOKU, name="sudoku", reference=SOLVED, sampler="entropy_bound")
    assert judge(sudoku).answer_right
    assert judge(sudoku, TASKS["sudoku"].right_answer).answer_right


def test_a_prompt_that_was_recorded_by_hand_is_understood(sudoku):
    by_hand = replace(sudoku, facts=replace(sudoku.facts, task={}))
    assert judge(by_hand) is None
    assert by_hand.prompt_text().startswith("<bos>")
    assert judge(by_hand, TASKS["sudoku"].right_answer).answer_right


@pytest.mark.parametrize(
    ("reference", "message"),
    [(7, "not a int"), (lambda p, c: None, "returned a NoneType"), (lambda p: True, "failed on")],  # noqa: ARG005
)
def test_a_wrong_reference_is_refused(sudoku, reference, message):
    with pytest.raises(SettingError, match=message):
        judge(sudoku, reference)


def test_a_sample_that_is_not_there_is_refused(sudoku):
    with pytest.raises(TraceError, match="sample 3"):
        judge(sudoku, SOLVED, sample=3)


def test_a_run_that_emitted_nothing_is_neither_right_nor_wrong():
    trace = synthetic_trace()
    cut_off = replace(
        trace, emitted=trace.emitted[:0], past_end=trace.past_end[:0], facts=replace(trace.facts, status="interrupted")
    )
    judgement = judge(cut_off, "the cat")
    assert judgement.answer_right is None
    assert judgement.judged.shape == (0, trace.canvas_length)
    assert not judgement.right_drafts(cut_off.canvas_run()).any()


def test_several_canvases_are_judged_as_one_text():
    prompt = TASKS["long"].example_prompts[0]
    trace = run(*dv.load_tiny(), prompt, seed=0)
    right = TASKS["long"].right_answer(prompt)
    assert judge(trace).answer_right
    second = judge(trace, right.replace("black", "white"))
    assert second.wrong.sum() == 1
    (canvas, position) = np.argwhere(second.wrong)[0]
    assert (second.expected[canvas, position], trace.token_text(trace.emitted[canvas, 0, position])) == (
        " white",
        " black",
    )


@pytest.mark.parametrize(
    ("texts", "reference", "expected", "missing"),
    [
        ([" Sam"], [" Ben"], [(" Ben", False)], []),
        (["a", "b", "c"], ["a", "c"], [("a", False), ("", False), ("c", False)], []),
        (["a", "c"], ["a", "b", "c"], [("a", False), ("c", False)], [(1, "b")]),
        ([" Paris", "!"], ["P", "a", "r", "i", "s", "!"], [(" Paris", False), ("!", False)], []),
        ([" Rome", "!"], ["P", "ar", "is", "!"], [("Paris", False), ("!", False)], []),
        (["a", "x", "y"], ["a"], [("a", False), ("", True), ("", True)], []),
        ([], ["a"], [], [(0, "a")]),
        ([], [], [], []),
    ],
)
def test_alignment(texts, reference, expected, missing):
    assert align(texts, reference) == (expected, missing)


@given(st.lists(st.sampled_from("abc "), max_size=12), st.lists(st.sampled_from("abc "), max_size=12))
def test_every_token_gets_an_expected_text_and_nothing_of_the_reference_is_lost(texts, reference):
    expected, missing = align(texts, reference)
    assert len(expected) == len(texts)
    covered = "".join(text for text, _ in expected) + "".join(text for _, text in missing)
    assert sorted(covered.replace(" ", "")) == sorted("".join(reference).replace(" ", ""))


@given(st.text("abcd", max_size=20), st.sets(st.text("abcd", min_size=1, max_size=4), max_size=6))
def test_cutting_loses_nothing(text, tokens):
    pieces = cut(text, tokens)
    assert "".join(pieces) == text
    assert all(piece in tokens or len(piece) == 1 for piece in pieces)
