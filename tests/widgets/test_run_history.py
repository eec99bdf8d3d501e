from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgemma_viz.trace import load_trace
from dgemma_viz.widgets.run_history import NONE, RunHistory
from tests.widgets.from_the_page import message
from tests.widgets.lab_traces import lab_trace


@pytest.fixture
def history():
    history = RunHistory(most=4)
    for seed in range(3):
        history.add(lab_trace(seed=seed))
    return history


def numbers(history):
    return [run.number for run in history.runs]


def row(history, number):
    return next(row for row in history.rows if row["number"] == number)


def test_a_new_run_is_compared_with_the_one_before(history):
    assert (history.a, history.b, history.opened) == (2, 3, NONE)
    assert [row["number"] for row in history.rows] == [3, 2, 1]
    assert [row["against"] for row in history.rows] == [2, 1, NONE]


def test_with_a_base_every_run_is_held_against_it(history):
    history.base = 1
    assert [row["against"] for row in history.rows] == [1, 1, NONE]
    history.add(lab_trace(seed=0))
    assert (history.a, history.b) == (1, 4)
    assert row(history, 4)["where"] == "none", "the seed of run 1"
    history.base = NONE
    assert row(history, 4)["against"] == 3


def test_a_run_on_another_prompt_is_not_called_different(history):
    trace = lab_trace(seed=2)
    history.add(replace(trace, prompt=trace.prompt[:, ::-1]))
    assert row(history, 4)["where"] == "another prompt"


def test_beyond_the_most_the_oldest_goes_but_not_the_base(history):
    history.base = 1
    for seed in range(3):
        history.add(lab_trace(seed=seed))
    assert numbers(history) == [1, 4, 5, 6]
    assert history.note == "Run 3 was removed: the table keeps 4 runs."
    history.remove(6)
    history.add(lab_trace())
    assert numbers(history) == [1, 4, 5, 7]
    assert not history.note


def test_removing_what_is_shown_shows_the_newest_that_remain(history):
    history.a, history.b = 1, 3
    history.remove(3)
    assert (history.a, history.b) == (1, 2)
    history.base = history.opened = 2
    history.remove(2)
    assert (history.a, history.b, history.base, history.opened) == (NONE, 1, NONE, NONE)
    history.remove(1)
    assert (history.a, history.b, history.rows) == (NONE, NONE, [])


@pytest.mark.parametrize("name", ["a", "b", "opened", "base"])
def test_a_run_that_is_not_there_counts_as_none(history, name):
    history.remove(1)
    setattr(history, name, 1)
    assert getattr(history, name) == NONE
    setattr(history, name, 77)
    assert getattr(history, name) == NONE


def test_whoever_observes_hears_of_a_new_run_when_all_is_in_place(history):
    heard = []
    history.observe(lambda _: heard.append((history.a, history.b, len(history.runs))), ["a", "b", "opened"])
    history.add(lab_trace())
    assert set(heard) == {(3, 4, 4)}


def test_a_saved_run_reaches_the_browser_as_a_trace_file(history, tmp_path, monkeypatch):
    sent = []
    monkeypatch.setattr(history, "send", lambda content, buffers: sent.append((content, buffers)))
    message(history, {"kind": "save", "number": 2})
    ((content, (data,)),) = sent
    assert content == {"kind": "file", "name": "run-2-entropy_bound-seed-1.safetensors"}
    (tmp_path / "run.safetensors").write_bytes(data)
    assert load_trace(tmp_path / "run.safetensors").facts.task == history.run(2).trace.facts.task


@pytest.mark.parametrize(
    "content", [None, [], {}, {"kind": "save"}, {"kind": "remove", "number": 9}, {"kind": "?", "number": 1}]
)
def test_a_message_that_means_nothing_is_ignored(history, content):
    message(history, content)
    assert numbers(history) == [1, 2, 3]


ACTS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "base", "a", "b", "opened"]), st.integers(0, 9)), max_size=25
)


@given(ACTS)
def test_what_is_chosen_is_always_in_the_table_and_the_table_is_bounded(acts):
    history, trace = RunHistory(most=3), lab_trace(length=4, steps=2)
    for act, number in acts:
        if act == "add":
            base = history.base
            history.add(trace)
            assert history.base == base, "the base is never dropped"
        elif act == "remove":
            history.remove(number)
        else:
            setattr(history, act, number)
        known = {NONE, *numbers(history)}
        assert len(history.runs) <= 3
        assert {history.a, history.b, history.opened, history.base} <= known
        assert [row["number"] for row in history.rows] == numbers(history)[::-1]
