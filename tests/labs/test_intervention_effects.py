"""Interventions over many prompts: each row is a run of its own condition, and nothing else differs."""

import numpy as np
import pandas as pd
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.intervention_effects import effects_summary, intervention_effects
from dgemma_viz.labs.interventions import DropSelfConditioning, Pin
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import TASKS, sample_example

OFF = [DropSelfConditioning(canvas=None, step=0)]


@pytest.fixture(scope="module")
def bundled():
    return dv.load_tiny()


def sudokus(count):
    random = np.random.default_rng(11)
    return [sample_example(TASKS["sudoku"], random, held_out=True).prompt for _ in range(count)]


def test_without_self_conditioning_fewer_lists_come_right(bundled):
    random = np.random.default_rng(11)
    lists = [sample_example(TASKS["gifts"], random, held_out=True).prompt for _ in range(12)]
    table = intervention_effects(*bundled, lists, {"on": [], "off": OFF})
    assert len(table) == 24
    right = table.groupby("condition")["right"].mean()
    assert right["on"] > right["off"]


def test_rows_are_the_sampler_s_runs(bundled):
    prompts = sudokus(2)
    pin = [Pin(0, "9", step=0)]
    table = intervention_effects(*bundled, prompts, {"as it is": [], "pinned": pin}, seeds=(3,))
    plain = run(*bundled, prompts, seed=3)
    rows = table[table["condition"] == "as it is"].to_dict("records")
    assert [row["output"] for row in rows] == [plain.output_text(sample) for sample in (0, 1)]
    assert [row["steps"] for row in rows] == plain.active.sum(axis=0).tolist()
    pinned = table[table["condition"] == "pinned"]
    assert pinned["output"].str.startswith("9").all()
    assert not pinned["right"].any()


def test_prompts_without_reference_are_not_judged(bundled):
    table = intervention_effects(*bundled, ["sudoku 12345="], {"as it is": []})
    assert list(table["right"]) == [None]


def test_an_interrupt_keeps_what_is_done(bundled):
    def progress(done, total):
        assert total == 2
        if done == 1:
            raise KeyboardInterrupt

    table = intervention_effects(*bundled, sudokus(1), {"on": [], "off": OFF}, progress=progress)
    assert list(table["condition"]) == ["on"]


def test_the_summary_counts_what_was_judged_and_says_how_sure_it_is():
    table = pd.DataFrame(
        {
            "condition": ["off"] * 4 + ["on"] * 4,
            "right": [False, None, True, False, True, True, True, True],
            "steps": [10, 48, 20, 30, 5, 5, 5, 5],
        }
    )
    off, on = effects_summary(table).to_dict("records")
    assert (off["condition"], off["runs"], off["right"], off["steps"]) == ("off", 3, pytest.approx(1 / 3), 20)
    assert off["low"] < off["right"] < off["high"]
    assert 10 <= off["steps_low"] < 20 < off["steps_high"] <= 30
    assert (on["right"], on["high"], on["steps_low"], on["steps_high"]) == (1, 1, 5, 5)
    assert on["low"] < 0.6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompts": []}, "no prompts"),
        ({"prompts": "sudoku"}, "list"),
        ({"conditions": {}}, "no conditions"),
        ({"seeds": ()}, "no seeds"),
        ({"parameters": {"entropy_bound": -1}}, "out of range"),
        ({"conditions": {"far": [Pin(999, "1", step=0)]}}, "outside the canvas"),
    ],
)
def test_nonsense_is_refused(bundled, changed, message):
    arguments = {"prompts": ["sudoku 12__="], "conditions": {"on": []}, **changed}
    with pytest.raises(SettingError, match=message):
        intervention_effects(*bundled, **arguments)
