"""Wrong tokens that were accepted: on a run that is known to heal one, and on hand-made references."""

import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.accepted_errors import accepted_errors, healed_fractions
from dgemma_viz.analysis.reference import judge
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.labs.run import run


@pytest.fixture(scope="module")
def repaired():
    return run(*dv.load_tiny(), "sudoku 234_/_1__/__2_/3__4=", seed=14)


def test_the_repair_is_found_and_called_healed(repaired):
    table = accepted_errors(repaired, judge(repaired))
    row = table[table.position == 10].iloc[0]
    assert (row.accepted, row.expected, row.step) == ("4", "1", 0)
    assert row.healed
    assert not row.kept
    assert (row.others_wrong, row.others_judged) == (0, 19)


def test_against_another_reference_the_emitted_token_is_an_error_that_was_kept(repaired):
    output = repaired.output_text()
    table = accepted_errors(repaired, judge(repaired, f"{output[:10]}9{output[11:]}"))
    row = table[table.position == 10].iloc[0]
    assert not row.healed
    assert not row.kept, "the token that was accepted first is not the one that was emitted"
    changed = accepted_errors(repaired, judge(repaired, f"9{output[1:]}"))
    assert changed[changed.position == 0].iloc[0].kept
    assert changed[changed.position == 10].iloc[0].others_wrong == 1


def test_nothing_judged_nothing_found(repaired):
    assert accepted_errors(repaired, judge(repaired, lambda *_: False)).empty


def test_fractions_by_task_count_every_error_once(repaired):
    healthy = run(*dv.load_tiny(), "sort 1493=", seed=0)
    table = healed_fractions(RunSet.of([repaired, repaired, healthy])).set_index("task")
    errors = accepted_errors(repaired, judge(repaired))
    assert table.loc["sudoku", ["runs", "errors", "healed"]].tolist() == [2, 2 * len(errors), 2 * errors.healed.sum()]
    assert table.loc["sudoku", "low"] < table.loc["sudoku", "fraction"] <= table.loc["sudoku", "high"]
    assert table.loc["sort", "runs"] == 1
    assert healed_fractions([]).empty
