"""Steps without a decision: a sampler may emit the argmax of its last step without sampling a candidate."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace import Decision, load_trace, save_json_lines
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.schema import ARRAYS
from tests.synthetic import synthetic_trace, undecided

OF_A_DECISION = ("candidate", "candidate_probability", "accepted", "decision", "temperature", "entropy_bound")


def argmax_at_the_end():
    trace = synthetic_trace(canvases=2, length=(6, 4), steps=[[4], [3]])
    return undecided(trace, 3, 6)


def assert_equal(first, second):
    for name in {*ARRAYS} - {"prompt", "prompt_mask"}:
        tolerance = 1e-6 if ARRAYS[name].provenance == "derived" else 0  # summed in another order
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), tolerance, tolerance, err_msg=name)


def test_the_step_holds_what_was_seen_and_nothing_else():
    trace = argmax_at_the_end()
    assert trace.decided[:, 0].tolist() == [True, True, True, False, True, True, False]
    run = trace.canvas_run(1)
    assert run.decided.tolist() == [True, True, False]
    assert (run.array("candidate")[-1] == UNKNOWN_TOKEN).all()
    assert (run.array("draft")[-1] >= 0).all()
    with pytest.raises(TraceError, match="'candidate' holds token ids beyond its canvas, or in a step without"):
        replace(trace, candidate=np.where(trace.in_canvas[:, None], trace.draft, UNKNOWN_TOKEN))
    partly = trace.decision.copy()
    partly[3, 0, 2] = Decision.NOISE
    with pytest.raises(TraceError, match="decides on all positions"):
        replace(trace, decision=partly)


def test_it_survives_both_file_formats(tmp_path):
    trace = argmax_at_the_end()
    trace.save(tmp_path / "run.safetensors")
    assert_equal(trace, load_trace(tmp_path / "run.safetensors"))
    save_json_lines(trace, tmp_path / "run.jsonl")
    assert_equal(trace, load_trace(tmp_path / "run.jsonl"))


@pytest.mark.parametrize("how", ["left out", "null"])
def test_a_log_leaves_out_what_belongs_to_a_decision(tmp_path, how):
    save_json_lines(synthetic_trace(canvases=2, length=(6, 4), steps=[[4], [3]]), tmp_path / "run.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    for step in (4, 7):  # after the header
        for name in OF_A_DECISION:
            if how == "left out" or name not in lines[step]:
                lines[step].pop(name, None)
            else:
                lines[step][name] = None
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    trace = load_trace(tmp_path / "run.jsonl")
    expected = argmax_at_the_end()
    assert_equal(replace(trace, temperature=expected.temperature), expected)
    assert np.isnan(trace.temperature[[3, 6]]).all()
    assert not {*trace.facts.absent} & {*OF_A_DECISION}


def test_half_a_decision_is_a_mistake(tmp_path):
    save_json_lines(synthetic_trace(length=6, steps=[[4]]), tmp_path / "run.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text("utf-8").splitlines()]
    del lines[4]["candidate"]
    (tmp_path / "run.jsonl").write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(
        TraceFileError,
        match=r"line 5 lacks 'candidate', which line 2 has: log it always or never \(a step that made no decision "
        r"leaves out 'candidate_probability', 'accepted', too\)",
    ):
        load_trace(tmp_path / "run.jsonl")
