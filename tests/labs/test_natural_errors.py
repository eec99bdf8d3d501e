"""Errors that samplers accept by themselves: the counts are those of the runs, and a sticky sampler heals none."""

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.accepted_errors import accepted_errors
from dgemma_viz.analysis.run import Run
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.natural_errors import natural_errors
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS, sample_example

EVERY_STEP = {"max_denoising_steps": 6, "confidence_threshold": None}
SAMPLERS = {
    "again": {"sampler": "entropy_bound", "entropy_bound": 10.0, **EVERY_STEP},
    "sticky": {"sampler": "block_refinement", "threshold": 0.0, "temperature": 2.0, **EVERY_STEP},
}


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


@pytest.fixture(scope="module")
def prompts():
    random = np.random.default_rng(2)
    return [sample_example(TASKS["sudoku"], random, held_out=True).prompt for _ in range(12)]


@pytest.fixture(scope="module")
def table(bundled, prompts):
    return natural_errors(*bundled, prompts, SAMPLERS, seed=3).set_index("sampler")


def test_the_counts_are_those_of_the_runs(bundled, prompts, table):
    setting = {name: value for name, value in SAMPLERS["sticky"].items() if name != "sampler"}
    trace = run(*bundled, prompts, "block_refinement", setting, seed=3)
    runs = [Run.of(trace, TASKS["sudoku"].right_answer, sample) for sample in range(len(prompts))]
    row = table.loc["sticky"]
    assert row["runs"] == len(prompts)
    assert row["right"] == pytest.approx(np.mean([one.right for one in runs]))
    assert row["errors"] == sum(len(accepted_errors(trace, one.judgement)) for one in runs) > 0
    assert row["right_low"] <= row["right"] <= row["right_high"]


def test_what_is_accepted_for_good_does_not_heal(table):
    assert table.loc["sticky", "healed"] == 0
    assert table.loc["again", "healed"] > 0


def test_nonsense_is_refused(bundled):
    with pytest.raises(SettingError, match="no prompts"):
        natural_errors(*bundled, [])
    with pytest.raises(SettingError, match="no sampler"):
        natural_errors(*bundled, ["sudoku 12__="], ["none"])
