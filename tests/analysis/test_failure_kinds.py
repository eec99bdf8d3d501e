"""Runs sorted into kinds."""

import numpy as np
import pytest

from dgemma_viz.analysis.failure_kinds import FailureKind, failure_kind, failure_kinds
from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import RunSet
from tests.handmade import handmade_trace
from tests.hurried_runs import hurried_runs


def kind_of(*drafts, reference="abcdef", **options):
    return failure_kind(Run.of(handmade_trace(list(drafts), **options), reference))


@pytest.mark.parametrize(
    ("drafts", "kind"),
    [
        (["a b c d e f <eos>"], FailureKind.RIGHT),
        (["<eos> a b c d e f"], FailureKind.EMPTY),
        (["a b c d e f <eos>", "a b c d e x <eos>"], FailureKind.RIGHT_THEN_LOST),
        (["a b c d e f <eos>", "<eos> b c d e f <eos>"], FailureKind.EMPTY),
        (["a b c <eos> e f g"], FailureKind.PREMATURE_END),
        (["a b c d e"], FailureKind.PREMATURE_END),
        (["a b c d e f g h <eos>"], FailureKind.RUNS_ON),
        (["x b c d y f <eos>"], FailureKind.FEW_WRONG),
        (["a b d e f <eos> q"], FailureKind.FEW_WRONG),
        (["u v w x y f <eos>"], FailureKind.MANY_WRONG),
        (["u v w x y z <eos>"], FailureKind.ALL_WRONG),
    ],
)
def test_kinds_by_hand(drafts, kind):
    assert kind_of(*drafts) is kind


def test_what_cannot_be_judged():
    assert failure_kind(Run.unjudged(handmade_trace(["a"]))) is FailureKind.NOT_JUDGED
    assert kind_of("a b", status="interrupted") is FailureKind.CUT_OFF


def test_a_checker_that_does_not_say_where():
    assert kind_of("x b", reference=lambda _prompt, text: text == "ab") is FailureKind.NEVER_RIGHT
    assert kind_of("a b", "x b", reference=lambda _prompt, text: text == "ab") is FailureKind.RIGHT_THEN_LOST


def test_words_run_together_are_few_wrong():
    """Every token fits, only the space between two words is missing."""
    assert kind_of("a b <eos>", reference="a b") is FailureKind.FEW_WRONG


def test_the_table_holds_every_run_once():
    runs = RunSet.of([handmade_trace(["a b"]), handmade_trace(["x y"]), handmade_trace(["a x"])], "ab")
    table = failure_kinds(runs)
    assert table["kind"].tolist() == [kind.value for kind in FailureKind]
    members = dict(zip(table["kind"], table["runs"], strict=True))
    assert members["right"] == (0,)
    assert members["all tokens wrong"] == (1,)
    assert members["few tokens wrong"] == (2,)
    assert table["share"].sum() == pytest.approx(1)


def test_no_runs():
    table = failure_kinds([])
    assert table["count"].sum() == 0
    assert np.isnan(table["share"]).all()


def test_real_runs():
    runs = hurried_runs()
    table = failure_kinds(runs)
    assert sorted(index for indices in table["runs"] for index in indices) == list(range(len(runs)))
    right = table.set_index("kind").loc["right", "runs"]
    assert set(right) == {index for index, run in enumerate(runs) if run.right}
