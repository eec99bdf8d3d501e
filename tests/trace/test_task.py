"""The task of a run: typed where its readers need it, and whatever else was given is kept."""

import json
from dataclasses import replace

import pytest

from dgemma_viz.errors import TraceError
from dgemma_viz.trace import RunFacts, RunTask, load_trace
from dgemma_viz.trace.interventions import Pin, recorded_interventions
from tests.synthetic import synthetic_trace

WHOLE = {
    "prompt": "2+2=",
    "prompts": ["a", "b"],
    "reference": "",
    "name": "addition",
    "sampler": "entropy_bound",
    "parameters": {"entropy_bound": 0.1},
    "interventions": [Pin(0, 2, step=1).to_json()],
    "fault": "NaN logits",
    "way": "diffusion",
    "answer": [1, 2],
    "more": {"nested": None},
}


def test_it_is_one_flat_object_in_files(tmp_path):
    task = RunTask.of(WHOLE)
    assert (task.prompt, task.prompts, task.reference, task.way) == ("2+2=", ("a", "b"), "", "diffusion")
    assert task.more == {"answer": [1, 2], "more": {"nested": None}}
    assert json.loads(json.dumps(task.to_json())) == WHOLE
    trace = synthetic_trace()
    trace = replace(trace, facts=replace(trace.facts, task=task))
    trace.save(tmp_path / "run.safetensors")
    assert load_trace(tmp_path / "run.safetensors").facts.task == task
    assert recorded_interventions(trace) == (Pin(0, 2, step=1),)


def test_what_is_not_set_is_left_out():
    assert RunTask().to_json() == {}
    assert RunTask(prompt="").to_json() == {"prompt": ""}
    assert RunFacts().to_json()["task"] == {}


def test_a_mapping_is_taken_for_one():
    assert RunFacts(task={"name": "sort"}).task == RunTask(name="sort")


def test_a_value_of_another_type_is_kept_and_not_used():
    """Files are not trusted, and anybody may call a fact of their own 'reference'."""
    odd = dict.fromkeys(WHOLE, 5) | {"prompts": ["a", 1]}
    task = RunTask.of(odd)
    assert task == RunTask(more=odd)
    assert task.to_json() == odd


def test_interventions_that_cannot_be_read_are_refused():
    trace = synthetic_trace()
    for told in (5, {"kind": "Pin"}, ["Pin"], [{"kind": "Pin"}]):
        with pytest.raises(TraceError, match="not legibly"):
            recorded_interventions(replace(trace, facts=replace(trace.facts, task={"interventions": told})))
