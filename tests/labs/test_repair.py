"""A run that accepts two cells that clash and still ends right, as the first page of the course shows one."""

import pytest

import dgemma_viz as dv
from dgemma_viz.errors import PromptError, SettingError
from dgemma_viz.labs.repair import first_repair
from dgemma_viz.tiny.tasks import TASKS

GRID = TASKS["grid"]
EMPTY = GRID.example_prompts[0]


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


def test_a_step_accepts_the_same_number_twice_and_the_grid_is_right_all_the_same(bundled):
    repair = first_repair(*bundled, EMPTY, range(100))
    cells = list(repair.cells)
    candidates = repair.run.array("candidate")[repair.step, cells]
    assert repair.run.array("accepted")[repair.step, cells].all()
    assert repair.trace.token_texts_of(candidates) == [repair.number] * 2
    assert GRID.check(EMPTY, repair.trace.output_text())
    assert repair.moved
    for cell, end in zip(cells, repair.ends, strict=True):
        assert repair.trace.output_text()[cell] == end
        assert f"osition {cell} ends as {end}" in repair.in_words()
        step = repair.first_accepted_right(cell)
        assert repair.run.array("accepted")[step, cell]
        assert repair.run.token_text(repair.run.array("candidate")[step, cell]) == end


def test_what_cannot_be_looked_for_or_is_not_there_is_said(bundled):
    with pytest.raises(SettingError, match="no prompt for an open grid"):
        first_repair(*bundled, "sort 21=", range(2))
    with pytest.raises(SettingError, match="try more seeds"):
        first_repair(*bundled, EMPTY, ())
    with pytest.raises(PromptError):
        first_repair(*bundled, "hello", ())
