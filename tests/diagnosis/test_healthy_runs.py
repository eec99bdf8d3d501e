"""Runs with default settings that ended by their own rule with the right answer: no warning, and hardly a note."""

import pytest
import torch

import dgemma_viz as dv
from benchmarks.diagnosis import is_healthy
from dgemma_viz.diagnosis import Severity, diagnose, unmasking
from dgemma_viz.tiny import encode_prompt
from dgemma_viz.tiny.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_healthy_runs_are_silent(task, run_of):
    traces = [trace for seed in range(8) if is_healthy(trace := run_of(task, seed=seed), task)]
    assert len(traces) >= 3
    for trace in traces:
        diagnosis = diagnose(trace, TASKS[task].right_answer)
        assert not [finding for finding in diagnosis if finding.severity >= Severity.WARNING], str(diagnosis)
        assert diagnosis.judgements[0].answer_right
        assert {name for name, _ in diagnosis.not_applied} == {rule.name for rule in unmasking.RULES}


def test_a_healthy_batch_of_one_and_several_canvases_is_silent(tiny):
    model, tokenizer = tiny
    prompts = [TASKS[task].example_prompts[0] for task in ("long", "sort", "addition")]
    with dv.record(model, tokenizer) as recording:
        torch.manual_seed(1)
        model.generate(**encode_prompt(tokenizer, prompts))
    diagnosis = diagnose(recording.trace)
    assert recording.trace.past_end.any(), "one sample should have ended a canvas before the others"
    assert not [finding for finding in diagnosis if finding.severity >= Severity.WARNING], str(diagnosis)


def test_a_wrong_answer_of_a_healthy_sampler_is_called_wrong(run_of):
    trace = run_of("addition")
    diagnosis = diagnose(trace, " 123")
    assert "wrong-answer" in {finding.rule for finding in diagnosis}
    assert diagnosis.findings[0].severity == Severity.ERROR
    assert diagnosis.judgements[0].answer_right is False
