"""What each step would have answered; EverPass; early answers over many runs."""

import math

import numpy as np
import pytest

from dgemma_viz.analysis.answer_history import answer_history, draft_answers, history_table
from dgemma_viz.analysis.early_answers import early_answers
from dgemma_viz.analysis.intervals import wilson
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.errors import SettingError
from tests.handmade import handmade_trace
from tests.hurried_runs import hurried_runs
from tests.real_text import real_trace


def run_of(*drafts, reference="ab", **options):
    return Run.of(handmade_trace(list(drafts), **options), reference)


def test_right_once_and_lost_again():
    history = answer_history(run_of("x b <eos>", "a b <eos>", "a c <eos>", "a c <eos>"))
    assert history.answers == ("xb", "ab", "ac", "ac")
    assert history.right.tolist() == [False, True, False, False]
    assert history.final.tolist() == [False, False, True, True]
    assert history.ever_right
    assert history.vote == "ac"
    assert not history.vote_right
    assert history.entropy == pytest.approx(0.5 * math.log(4) + 0.5 * math.log(2))


def test_the_vote_over_steps_can_be_right_where_the_end_is_wrong():
    history = answer_history(run_of("a b", "a b", "a c"))
    assert history.vote_right
    assert not history.right[-1]


def test_among_equals_the_later_answer_wins():
    assert answer_history(run_of("a b", "a c", "a b", "a c")).vote == "ac"


def test_an_answer_goes_up_to_its_end():
    assert draft_answers(handmade_trace(["a <eos> b", "a b <eos>"])) == ("a", "ab")


def test_canvases_are_one_answer():
    trace = handmade_trace(["a x", "a b"], ["d <eos>", "c <eos>"])
    history = answer_history(Run.of(trace, "abc"))
    assert history.answers == ("ax", "ab", "abd", "abc")
    assert history.right.tolist() == [False, False, False, True]


def test_a_checker_is_asked_about_every_distinct_answer():
    asked = []

    def checker(prompt, text):
        asked.append((prompt, text))
        return text.startswith("a")

    run = run_of("x b", "a b", "x b", "a c", reference=checker)
    asked.clear()
    assert answer_history(run).right.tolist() == [False, True, False, True]
    assert sorted(asked) == [("say it", text) for text in ("ab", "ac", "xb")]


def test_a_checker_may_return_the_answer():
    assert answer_history(run_of("x b", "a b", reference=lambda _prompt, _text: " ab ")).right.tolist() == [False, True]


def test_a_checker_that_fails_on_a_draft_is_reported():
    run = run_of("x", "1", reference=lambda _prompt, text: int(text) == 1)
    with pytest.raises(SettingError, match=r"failed on .* with ValueError"):
        answer_history(run)


def test_a_run_that_was_cut_off_has_the_history_of_its_steps():
    history = answer_history(run_of("x b", "a b", status="interrupted"))
    assert history.right.tolist() == [False, True]


def test_a_run_without_steps_or_judgement():
    trace = handmade_trace(["a b"])
    assert not answer_history(Run.unjudged(trace)).ever_right
    empty = answer_history(Run.of(_without_steps(trace), "ab"))
    assert empty.answers == ()
    assert empty.vote is None
    assert not empty.vote_right
    assert math.isnan(empty.entropy)


def _without_steps(trace):
    from dataclasses import replace

    return replace(trace, active=np.zeros_like(trace.active))


def test_table_of_histories():
    runs = [run_of("a b", "a c", "a d"), run_of("a b", seed=5), Run.unjudged(handmade_trace(["a b"]))]
    table = history_table(runs)
    assert table["run"].tolist() == [0, 1]
    assert table["right_then_lost"].tolist() == [True, False]
    assert table["first_right_step"].tolist() == [0, 0]
    assert table["final_from_step"].tolist() == [2, 0]
    assert table["answers"].tolist() == [3, 1]
    assert table["seed"].tolist() == [0, 5]
    assert history_table([]).empty


def test_early_answers_by_hand():
    """Run 0 is right at step 1 only, run 1 from the start and stops after one step."""
    table = early_answers([run_of("x b", "a b", "a c"), run_of("a b")])
    assert table["running"].tolist() == [2, 1, 1]
    assert table["right"].tolist() == [0.5, 1, 0.5]
    assert table["ever_right"].tolist() == [0.5, 1, 1]
    assert table["final"].tolist() == [0.5, 0.5, 1]
    assert table.loc[0, ["right_low", "right_high"]].tolist() == [float(end) for end in wilson(1, 2)]


def test_nothing_to_draw_curves_of():
    cut_off = run_of("a b", status="failed")
    for runs in (RunSet(), [cut_off], [Run.unjudged(handmade_trace(["a"]))]):
        assert early_answers(runs).empty


def test_real_runs():
    runs = hurried_runs()
    table = early_answers(runs)
    assert table["right"].iloc[-1] == pytest.approx(np.mean([run.right for run in runs]))
    assert table["final"].iloc[-1] == 1
    assert table["final"].is_monotonic_increasing
    assert table["ever_right"].is_monotonic_increasing
    assert (table["ever_right"] >= table["right"]).all()
    history = history_table(runs)
    assert history["right_then_lost"].tolist() == [any(answer_history(run).right) and not run.right for run in runs]
    for run in runs:
        assert answer_history(run).answers[-1] == run.output.strip()


def test_characters_that_are_split_over_tokens_are_whole_in_answers_and_judged_so():
    trace = real_trace(steps=4)
    assert draft_answers(trace)[-1] == trace.output_text().strip()
    judged = judge(trace, trace.output_text())
    assert judged.answer_right
    assert not judged.wrong.any()
    run = trace.canvas_run(1)
    assert judged.holds(run, run.array("draft"))[-1].all()
