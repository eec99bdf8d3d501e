"""Sweeps on one process: what is crossed, what a row says, and what an interrupt or a restart leaves."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.errors import PromptError, SettingError, SweepInterruptedError
from dgemma_viz.labs.run import run
from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.labs.sweep import Sweep, sweep
from dgemma_viz.labs.sweep.plan import settings_of
from dgemma_viz.tiny.tasks import TASKS, task_of

PROMPTS = [TASKS["addition"].example_prompts[0], TASKS["sudoku"].example_prompts[1]]
GRID = {"sampler": ["entropy_bound", "block_refinement"], "max_denoising_steps": [2, 4], "entropy_bound": [0.05, 0.1]}
SMALL = {"max_denoising_steps": [1, 3]}


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def found(bundled):
    return sweep(*bundled, PROMPTS, GRID, seeds=(0, 1))


def without_times(table):
    return table.drop(columns="seconds")


def same(left, right):
    pd.testing.assert_frame_equal(without_times(left.table), without_times(right.table))


def test_parameters_that_a_sampler_lacks_do_not_multiply_its_settings(found):
    table = found.table
    assert len(table) == (4 + 2) * 2 * 2
    assert found.missing == found.failed == 0
    sticky = table[table["sampler"] == "block_refinement"]
    assert sticky["entropy_bound"].isna().all()
    assert set(sticky["max_denoising_steps"]) == {2, 4}


def test_a_row_is_the_single_run(found, bundled):
    number, row = next((n, r) for n, r in found.table.iterrows() if r["sampler"] == "block_refinement" and r["seed"])
    parameters = {"max_denoising_steps": int(row["max_denoising_steps"])}
    trace = run(*bundled, row["prompt"], "block_refinement", parameters, seed=row["seed"])
    assert row["output"] == trace.output_text()
    assert row["forwards"] == trace.n_steps
    assert row["right"] == task_of(row["prompt"]).check(row["prompt"], row["output"])
    again = found.run(number)
    assert np.array_equal(again.draft, trace.draft)


def test_corrector_sweeps_are_decoder_passes(bundled):
    grid = [{"sampler": "discrete_ddim", "max_denoising_steps": 6, "corrector_steps": 2, "confidence_threshold": None}]
    found = sweep(*bundled, PROMPTS[:1], grid)
    assert found.table["forwards"].item() == found.run(0).n_steps > 0
    assert (found.run(0).phase == 1).any()


def test_the_summary_adds_up(found):
    table, summary = found.table, found.summary()
    assert summary["runs"].sum() == len(table)
    for _, row in summary.iterrows():
        own = table[table["setting"] == row["setting"]]
        assert row["accuracy"] == pytest.approx(own["right"].mean())
        assert row["tokens_per_forward"] == pytest.approx(own["tokens"].sum() / own["forwards"].sum())
        assert row["low"] <= row["accuracy"] <= row["high"]
    by_sampler = found.summary(["sampler"])
    assert list(by_sampler["sampler"]) == ["entropy_bound", "block_refinement"]
    with pytest.raises(SettingError, match="'speed' is not one"):
        found.summary("speed")


def test_it_shows_itself_and_escapes(bundled):
    found = sweep(*bundled, PROMPTS[:1], SMALL, reference=lambda *_: 1 / 0)
    assert found.table["right"].isna().all()
    assert found.table["error"].str.contains("ZeroDivisionError").all()
    assert "2 runs (2 settings × 1 seed × 1 prompt)" in found._repr_html_()
    assert "<Sweep of 2 runs" in repr(found)


def test_a_batch_runs_together_and_a_batch_of_one_is_the_single_run(bundled):
    single, batch = (sweep(*bundled, PROMPTS, SMALL, batch_size=size) for size in (1, 2))
    assert list(single.table["sample"]) == [0, 0, 0, 0]
    assert list(batch.table["sample"]) == [0, 1, 0, 1]
    together = run(*bundled, PROMPTS, "entropy_bound", {"max_denoising_steps": 3})
    rows = batch.table[batch.table["max_denoising_steps"] == 3]
    assert list(rows["output"]) == [together.output_text(0), together.output_text(1)]
    assert list(rows["forwards"]) == together.active.sum(axis=0).tolist()
    alone = run(*bundled, PROMPTS[1], "entropy_bound", {"max_denoising_steps": 3})
    assert single.table["output"].iloc[-1] == alone.output_text()


def test_a_masked_model_is_swept_too():
    found = sweep(*dv.load_tiny("masked"), PROMPTS, {"sampler": ["llada2"], "threshold": [0.5, 0.95]})
    assert found.failed == 0
    assert found.table["right"].all()


def test_an_interrupt_keeps_what_is_finished_and_the_file_goes_on(bundled, tmp_path):
    path = tmp_path / "sweep.jsonl"

    def stop_after_three(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    broken = sweep(*bundled, PROMPTS, SMALL, seeds=(0, 1), path=path, progress=stop_after_three)
    assert (len(broken.table), broken.missing) == (3, 5)
    told = []
    whole = sweep(*bundled, PROMPTS, SMALL, seeds=(0, 1), path=path, progress=lambda *now: told.append(now))
    assert told[0] == (3, 8)
    assert told[-1] == (8, 8)
    same(whole, sweep(*bundled, PROMPTS, SMALL, seeds=(0, 1)))


def test_a_file_may_grow_and_a_cut_line_runs_again(bundled, tmp_path):
    path = tmp_path / "sweep.jsonl"
    sweep(*bundled, PROMPTS[:1], SMALL, path=path)
    path.write_bytes(path.read_bytes()[:-20])
    told = []
    grown = sweep(
        *bundled, PROMPTS[:1], {"max_denoising_steps": [1, 3, 5]}, seeds=(0, 4), path=path,
        progress=lambda *now: told.append(now),
    )  # fmt: skip
    assert told[0] == (1, 6)
    assert grown.missing == 0
    assert len(path.read_text().splitlines()) == 1 + 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompts": PROMPTS[:1]}, "its 2 prompts are not these 1"),
        ({"batch_size": 2}, "batch size was 1, is 2"),
        ({"grid": {"max_denoising_steps": [3]}}, "not in this grid"),
        ({"max_new_tokens": 5}, "max new tokens was None, is 5"),
    ],
)
def test_another_sweep_does_not_go_into_the_file(bundled, tmp_path, changed, message):
    path = tmp_path / "sweep.jsonl"
    sweep(*bundled, PROMPTS, SMALL, path=path)
    before = path.read_bytes()
    with pytest.raises(SettingError, match=message):
        sweep(*bundled, **{"prompts": PROMPTS, "grid": SMALL, "path": path, **changed})
    assert path.read_bytes() == before


def test_a_file_of_something_else_is_left_alone(bundled, tmp_path):
    path = tmp_path / "diary.txt"
    path.write_text("Dear diary,\n")
    with pytest.raises(SettingError, match="not the file of a sweep"):
        sweep(*bundled, PROMPTS, SMALL, path=path)
    assert path.read_text() == "Dear diary,\n"


def test_hostile_text_survives_the_file(bundled, tmp_path):
    path = tmp_path / "sweep.jsonl"
    found = sweep(*bundled, PROMPTS[:1], SMALL, path=path)
    lines = path.read_text().splitlines()
    evil = "\u202e<script>\x00\n😀"
    data = json.loads(lines[1])
    data["outcomes"][0]["output"] = evil
    path.write_text("\n".join([lines[0], json.dumps(data), *lines[2:]]) + "\n")
    again = sweep(*bundled, PROMPTS[:1], SMALL, path=path)
    assert evil in set(again.table["output"])
    assert len(again.table) == len(found.table)


def test_a_run_that_fails_costs_no_other(bundled, tmp_path, monkeypatch):
    from dgemma_viz.labs.sweep import outcome

    def failing(model, tokenizer, prompt, sampler, parameters, **options):
        if parameters["max_denoising_steps"] == 3:
            raise RuntimeError("out of <memory>")
        return run(model, tokenizer, prompt, sampler, parameters, **options)

    path = tmp_path / "sweep.jsonl"
    with monkeypatch.context() as patch:
        patch.setattr(outcome, "run", failing)
        found = sweep(*bundled, PROMPTS[:1], SMALL, path=path)
    assert (found.failed, found.missing) == (1, 0)
    assert "out of <memory>" in found.table["error"].iloc[1]
    assert "<memory>" not in found._repr_html_()
    assert found.summary()["failed"].sum() == 1
    assert sweep(*bundled, PROMPTS[:1], SMALL, path=path).failed == 0, "failed runs are tried again"


def test_a_file_that_cannot_be_written_loses_nothing(bundled, tmp_path, monkeypatch):
    from dgemma_viz.labs.sweep.store import Store

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(Store, "keep", full)
    with pytest.raises(SweepInterruptedError, match="No space left") as caught:
        sweep(*bundled, PROMPTS[:1], SMALL, path=tmp_path / "sweep.jsonl")
    assert len(caught.value.sweep.table) == 1


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"grid": {}}, SettingError, "nothing in the grid"),
        ({"grid": []}, SettingError, "nothing in the grid"),
        ({"grid": {"max_denoising_steps": []}}, SettingError, "no values"),
        ({"grid": {"max_denoising_steps": 4}}, SettingError, "must be a list"),
        ({"grid": {"warmth": [1]}}, SettingError, "no sampler of the grid has a parameter 'warmth'"),
        ({"grid": {"sampler": ["magic"]}}, SettingError, "no sampler 'magic'"),
        ({"grid": {"entropy_bound": [-1]}}, SettingError, "out of range"),
        ({"grid": {"sampler": ["llada2"]}}, SettingError, "needs a mask-token model"),
        ({"grid": "entropy_bound"}, SettingError, "must be a list"),
        ({"prompts": []}, SettingError, "no prompts"),
        ({"prompts": "sudoku"}, SettingError, "must be a list"),
        ({"prompts": [" "]}, PromptError, "empty"),
        ({"prompts": ["sudoku ☃"]}, PromptError, "does not know"),
        ({"seeds": []}, SettingError, "no seeds"),
        ({"seeds": [0.5]}, SettingError, "whole number"),
        ({"seeds": [-1]}, SettingError, "out of range"),
        ({"batch_size": 0}, SettingError, "out of range"),
        ({"max_new_tokens": 0}, SettingError, "out of range"),
        ({"reference": 5}, SettingError, "a reference is"),
        ({"executor": "dask"}, SettingError, "concurrent.futures.Executor"),
        ({"tokenizer": None}, SettingError, "needs its tokenizer"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(bundled, monkeypatch, changed, error, message):
    monkeypatch.setattr("dgemma_viz.labs.sweep.outcome.run", lambda *_, **__: pytest.fail("it ran"))
    arguments = {"model": bundled[0], "tokenizer": bundled[1], "prompts": PROMPTS, "grid": SMALL, **changed}
    with pytest.raises(error, match=message):
        sweep(**arguments)


values = {
    "max_denoising_steps": st.lists(st.integers(1, 4), min_size=1, max_size=3),
    "threshold": st.lists(st.sampled_from([0.5, 0.9]), min_size=1, max_size=2),
    "entropy_bound": st.lists(st.sampled_from([0.1, 1.0]), min_size=1, max_size=2),
}


@given(
    samplers=st.lists(st.sampled_from(["entropy_bound", "block_refinement"]), min_size=2, max_size=3, unique=False),
    chosen=st.fixed_dictionaries({}, optional=values),
)
def test_settings_are_every_combination_once(samplers, chosen):
    known = {parameter.name for name in samplers for parameter in SAMPLERS[name].parameters}
    chosen = {name: given for name, given in chosen.items() if name in known}
    settings = settings_of({"sampler": samplers, **chosen})
    assert len(set(settings)) == len(settings)
    expected = 0
    for sampler in set(samplers):
        own = {parameter.name for parameter in SAMPLERS[sampler].parameters}
        expected += int(np.prod([len(set(given)) for name, given in chosen.items() if name in own]))
    assert len(settings) == expected
    assert len({setting.label for setting in settings}) == len(settings)


def test_what_comes_back_is_a_sweep(found):
    assert isinstance(found, Sweep)
