"""Error injection: a cell is the sampler's own run with tokens replaced, and reports what that run emitted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.analysis.healing import replaceable
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.injection import InjectionResult, choose, inject_errors
from dgemma_viz.labs.interventions import DropSelfConditioning, Replace, intervene
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS
from tests.synthetic import synthetic_trace

UNSTOPPED = {"confidence_threshold": None, "max_denoising_steps": 8}
PROMPTS = TASKS["addition"].example_prompts[:2]
STICKY, EDITED, RESELECTED = "sticky", "sticky with editing", "re-selecting"
SAMPLERS = {
    RESELECTED: {"sampler": "entropy_bound", **UNSTOPPED},
    STICKY: {"sampler": "block_refinement", **UNSTOPPED},
    EDITED: {"sampler": "block_refinement", "editing_threshold": 0.9, **UNSTOPPED},
}


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def result(bundled):
    return inject_errors(*bundled, PROMPTS, SAMPLERS, steps=(2, 4), errors=(1, 2))


def test_every_cell_has_a_row_for_every_prompt(result):
    assert result.complete
    counted = len(result.table) + result.skipped["prompts"].sum()
    assert counted == len(SAMPLERS) * 2 * 2 * len(PROMPTS)
    assert (result.table["healed"] <= result.table["errors"]).all()


def test_a_sticky_commit_stays_wrong_and_what_is_selected_again_heals(result):
    healed = result.table.groupby("sampler")[["healed", "errors"]].sum()
    assert set(healed.index) == set(SAMPLERS)
    assert healed.loc[STICKY, "healed"] == 0
    for label in (RESELECTED, EDITED):
        assert healed.loc[label, "healed"] == healed.loc[label, "errors"]


def test_the_summary_adds_the_rows_up(result):
    summary = result.summary().set_index(["sampler", "step", "errors"])
    for (sampler, step, errors), cell in result.table.groupby(["sampler", "step", "errors"]):
        row = summary.loc[(sampler, step, errors)]
        assert row["tokens"] == errors * len(cell)
        assert row["healed"] == pytest.approx(cell["healed"].sum() / (errors * len(cell)))
        assert row["healed_low"] <= row["healed"] <= row["healed_high"]


def test_a_cell_is_the_run_with_the_tokens_replaced(bundled):
    prompt = [PROMPTS[0]]
    result = inject_errors(
        *bundled, prompt, {"a": SAMPLERS[RESELECTED]}, steps=(2,), errors=(3,), self_conditioning=False
    )
    original = run(*bundled, prompt[0], "entropy_bound", UNSTOPPED, top_k=3)
    tokens = choose(original.canvas_run(0), 2, 3, 0, "plausible")
    changes = [Replace(tokens, step=2), DropSelfConditioning(step=2, steps=1)]
    changed = intervene(*bundled, original, changes).trace
    at = list(tokens)
    healed = original.canvas_run(0).emitted[at] == changed.canvas_run(0).emitted[at]
    (row,) = result.table.to_dict("records")
    assert row["healed"] == healed.sum()
    assert row["right"] == TASKS["addition"].check(prompt[0], changed.output_text())


def test_answers_that_were_wrong_already_do_not_count(bundled):
    result = inject_errors(*bundled, PROMPTS, steps=(1,), errors=(1,), reference="never this")
    assert result.table.empty
    assert result.summary().empty
    (row,) = result.skipped.to_dict("records")
    assert row["prompts"] == len(PROMPTS)
    assert "wrong already" in row["why"]


def test_steps_after_the_end_do_not_count(bundled):
    result = inject_errors(*bundled, PROMPTS, steps=(47,), errors=(1,))
    assert result.table.empty
    assert list(result.skipped["why"]) == ["the canvas had ended before that step"]


def test_an_interrupt_keeps_the_finished_cells(bundled):
    def progress(done, total):
        assert total == 3
        if done == 2:
            raise KeyboardInterrupt

    settings = {"a": SAMPLERS[RESELECTED]}
    result = inject_errors(*bundled, PROMPTS, settings, steps=(2,), errors=(1, 2), progress=progress)
    assert not result.complete
    assert set(result.table["errors"]) == {1}


@given(seed=st.integers(0, 2**32), step=st.integers(0, 12), wrong=st.sampled_from(["plausible", "random"]))
def test_wrong_tokens_are_wrong_and_stand_where_the_run_was_right(seed, step, wrong):
    run = synthetic_trace(length=24, steps=[[12]]).canvas_run(0)
    most = choose(run, step, 24, seed, wrong)
    few = choose(run, step, 2, seed, wrong)
    assert list(most.items())[: len(few)] == list(few.items())
    assert set(most) == set(np.flatnonzero(replaceable(run, step)))
    for position, token in most.items():
        assert token != run.array("noised")[step, position]
        assert 0 <= token < run.trace.facts.vocab_size


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompts": []}, "no prompts"),
        ({"prompts": "addition 1+2="}, "must be a list"),
        ({"samplers": []}, "no samplers"),
        ({"samplers": ["magic"]}, "no sampler 'magic'"),
        ({"samplers": {"a": {"sampler": "entropy_bound", "entropy_bound": -1}}}, "out of range"),
        ({"steps": ()}, "no steps"),
        ({"steps": (0,)}, "step of 0"),
        ({"errors": (0,)}, "number of errors of 0"),
        ({"seeds": ()}, "no seeds"),
        ({"seeds": (-1,)}, "seed of -1 is out of range"),
        ({"seeds": 3}, "must be a list"),
        ({"canvas": -1}, "canvas of -1 is out of range"),
        ({"wrong": "silly"}, "plausible, random"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(changed, message):
    arguments = {"prompts": PROMPTS, "samplers": ("entropy_bound",), **changed}
    with pytest.raises(SettingError, match=message):
        inject_errors(None, None, **arguments)


def test_nothing_found_is_a_table_without_rows():
    empty = InjectionResult.of([], [], complete=True)
    assert empty.summary().empty
