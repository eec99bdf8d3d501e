from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.changed_facts import FactRow, changed_facts, facts_of_both
from dgemma_viz.labs.run import run
from dgemma_viz.trace.notice import Notice
from tests.synthetic import synthetic_trace


def test_real_runs_change_in_what_was_changed():
    prompt = "sort 4481715071="
    a, b = (run(*dv.load_tiny(), prompt, parameters={"entropy_bound": bound}, seed=0) for bound in (0.1, 0.5))
    assert changed_facts(a, b) == (FactRow("entropy bound", 0.1, 0.5),)
    c = run(*dv.load_tiny(), prompt, parameters={"entropy_bound": 0.1}, seed=1)
    assert [row.name for row in changed_facts(a, c)] == ["seed", "random generator at the start"]


def test_a_setting_that_only_one_run_has_is_there():
    a = synthetic_trace()
    b = replace(a, facts=replace(a.facts, settings={"t_min": 0.4, "top_p": 0.9}, notices=(Notice("", "beware"),)))
    rows = {row.name: (row.a, row.b) for row in changed_facts(a, b)}
    assert rows["top p"] == (None, 0.9)
    assert rows["t max"] == (0.8, None)
    assert rows["warnings"] == ((), ("beware",))
    assert "t min" not in rows


def test_a_sample_that_a_trace_lacks_has_no_prompt():
    rows = facts_of_both(synthetic_trace(samples=2), synthetic_trace(), sample=1)
    assert rows[0].name == "prompt"
    assert rows[0].a
    assert rows[0].b is None


def test_the_state_of_the_random_generator_counts_beside_the_seed():
    a = synthetic_trace()
    states = (np.arange(8, dtype=np.uint8), np.arange(1, 9, dtype=np.uint8))
    rows = changed_facts(*(replace(a, generator_state=state) for state in states))
    assert [row.name for row in rows] == ["random generator at the start"]


@pytest.mark.parametrize(("a", "b", "changed"), [(1, 1.0, False), (float("nan"), float("nan"), False), ("1", 1, True)])
def test_equal_values_are_not_a_change(a, b, changed):
    assert FactRow("x", a, b).changed is changed
