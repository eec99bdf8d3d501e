"""What an own loop's canvases may be: of different lengths, with steps that made no decision, but never moving."""

import json

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz import Recorder, check_conformance, diagnose, explore
from dgemma_viz.errors import RecordingError, SettingError, TraceFileError
from dgemma_viz.tiny.tasks import TASKS
from dgemma_viz.tiny.tokenizer import encode_prompt
from dgemma_viz.trace import load_trace
from dgemma_viz.trace.model import UNKNOWN_TOKEN
from dgemma_viz.trace.schema import ARRAYS
from tests.synthetic import EOS, PAD, Sampler, synthetic_trace, undecided

HANDED = ("noised", "draft", "entropy", "confidence", "top_k_ids", "top_k_probabilities")
OF_A_DECISION = ("candidate", "candidate_probability", "accepted")
MASK = 9
NEVER_STOPS = Sampler(confidence_threshold=0.0)


def handed_over(trace):
    """A recorder that is told each step as a loop would: without what the step does not have."""
    facts = trace.facts
    recorder = Recorder(
        sampler="EntropyBoundSampler",
        settings=dict(facts.settings),
        vocab_size=facts.vocab_size,
        eos_token_ids=[EOS],
        pad_token_id=PAD,
    )
    for canvas in range(trace.n_canvases):
        run = trace.canvas_run(canvas)
        for step in range(run.n_steps):
            values = {name: run.array(name)[step] for name in HANDED}
            values |= {"temperature": run.array("temperature")[step], "finished": run.array("finished")[step]}
            if run.decided[step]:
                values |= {name: run.array(name)[step] for name in OF_A_DECISION}
                values["entropy_bound"] = run.array("entropy_bound")[step]
            recorder.step(**values)
        recorder.emit(run.emitted)
    return recorder


def two_canvases(*no_decision):
    """As mlx-vlm denoises: the last canvas is shorter."""
    return undecided(
        synthetic_trace(canvases=2, length=(12, 5), steps=[[6], [6]], seed=4, sampler=NEVER_STOPS), *no_decision
    )


def test_a_short_last_canvas_and_steps_without_a_decision_are_recorded_as_they_are():
    given = two_canvases(5, 11)
    trace = handed_over(given).trace
    for name in {*ARRAYS} - {"wall_time", "prompt", "prompt_mask"}:
        tolerance = 1e-6 if ARRAYS[name].provenance == "derived" else 0
        np.testing.assert_allclose(getattr(trace, name), getattr(given, name), tolerance, tolerance, err_msg=name)
    assert not trace.facts.absent
    assert trace.canvas_lengths.tolist() == [12, 5]


def test_rules_leave_such_a_step_out_by_name_and_judge_the_rest():
    trace = handed_over(two_canvases(5, 11)).trace
    report, whole = check_conformance(trace), check_conformance(handed_over(two_canvases()).trace)
    assert report.ok, str(report)
    assert report.passed == whole.passed
    assert {"accepted-set", "accepted-kept", "emitted-is-last-draft", "numbers-finite"} <= {*report.passed}
    told = " ".join(str(report).split())
    assert "No decision was made in step 5 of canvas 0, step 5 of canvas 1, so these rules leave them out: cand" in told
    assert "No decision" not in str(whole)
    judged = {one.rule: (one.judged, other.judged) for one, other in zip(report.outcomes, whole.outcomes, strict=True)}
    assert judged["accepted-set"] == (5 * 12 + 5 * 5, 6 * 12 + 6 * 5)
    assert judged["emitted-is-last-draft"][0] == judged["emitted-is-last-draft"][1] > 0
    assert "numbers-not-finite" not in {finding.rule for finding in diagnose(trace).findings}


def test_it_can_be_explored():
    viewer = explore(handed_over(two_canvases(5, 11)).trace)
    for canvas, last in ((0, 11), (1, 4)):
        viewer.go(canvas=canvas, step=5, position=last)
        with pytest.raises(SettingError, match=rf"no position {last + 1} here; choose from -1 to {last}"):
            viewer.position = last + 1
    viewer.close()


def test_a_first_step_may_make_no_decision():
    trace = undecided(synthetic_trace(length=6, steps=[[3]]), 0)
    assert handed_over(trace).trace.decided[:, 0].tolist() == [False, True, True]


def test_half_a_decision_is_a_mistake():
    recorder = handed_over(synthetic_trace(length=6, steps=[[3]]))
    steps = {"noised": [2] * 6, "draft": [2] * 6, "entropy": [0.0] * 6, "confidence": [1.0] * 6}
    alternatives = {"top_k_ids": [[2] * 8] * 6, "top_k_probabilities": [[0.1] * 8] * 6}
    decided = {"candidate": [2] * 6, "candidate_probability": [1.0] * 6, "temperature": 1, "entropy_bound": 0.1}
    with pytest.raises(
        RecordingError,
        match=r"only the first step has 'accepted': hand it over in every step, or in none \(a step that made no dec",
    ):
        recorder.step(**steps, **alternatives, **decided, finished=False)


def test_masked_loops_may_emit_the_argmax_of_their_last_step():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[MASK] * 4, draft=[3, 4, 5, 6], candidate=[3, 4, 5, 6])
    recorder.step(noised=[3, MASK, 5, MASK], draft=[3, 4, 5, 7])
    recorder.emit([3, 4, 5, 7])
    trace = recorder.trace
    assert trace.decided[:, 0].tolist() == [True, False]
    assert trace.accepted[0, 0].tolist() == [True, False, True, False]
    assert (trace.candidate[1] == UNKNOWN_TOKEN).all()
    assert check_conformance(trace).ok, str(check_conformance(trace))


def test_the_output_may_begin_inside_the_first_block():
    """Blocks counted from the start of the prompt: 2 of the first block's 4 tokens are the prompt's; 5 were asked."""
    recorder = Recorder(mask_token_id=MASK, vocab_size=10, prompt=[7, 8, 3, 4, 5, 6], output_span=(2, 7))
    for block, begun in (([5, 6, 1, 2], [5, 6, MASK, MASK]), ([3, 4, 5, 6], [MASK] * 4)):
        recorder.step(noised=begun, draft=block, candidate=block)
        recorder.emit(block)
    trace = recorder.trace
    assert trace.output_ids().tolist() == [1, 2, 3, 4, 5]
    assert trace.canvas_run(0).in_output.tolist() == [False, False, True, True]
    assert trace.canvas_run(1).in_output.tolist() == [True, True, True, False]


def test_samples_stay_as_many():
    recorder = Recorder(vocab_size=10)
    recorder.step(noised=[[1, 2, 3]] * 2, draft=[[1, 2, 3]] * 2)
    recorder.emit([[1, 2, 3]] * 2)
    with pytest.raises(RecordingError, match=r"canvas 1, step 0: 'noised' is for 1 sample of 2 positions, but"):
        recorder.step(noised=[1, 2], draft=[1, 2])


def test_the_bundled_models_own_run_as_a_loop_hands_it_over():
    model, tokenizer = dv.load_tiny()
    with dv.record(model, tokenizer) as recording:
        model.generate(**encode_prompt(tokenizer, TASKS["sort"].example_prompts[0]), max_denoising_steps=3)
    run = recording.trace
    for trace in (run, undecided(run, run.n_steps - 1)):
        again = handed_over(trace).trace
        report = check_conformance(again)
        assert report.ok, str(report)
        assert again.output_ids().tolist() == run.output_ids().tolist()


# -- insertion and deletion --------------------------------------------------------------------------------------


def flexible(*canvases, length=8):
    """Steps of a loop that inserts: canvases as FlexMDM holds them, filled up with padding."""
    padded = [[*canvas, *[PAD] * (length - len(canvas))] for canvas in canvases]
    recorder = Recorder(mask_token_id=MASK, vocab_size=10, pad_token_id=PAD)
    for canvas in padded[:-1]:
        recorder.step(noised=canvas, draft=[token if token != MASK else 5 for token in canvas])
    recorder.emit(padded[-1])
    return recorder


def test_a_canvas_that_grows_into_its_padding_is_refused():
    with pytest.raises(
        RecordingError,
        match=r"canvas 0, step 1: the canvas grew: position 2 held padding .*; a position must keep its meaning in all",
    ):
        flexible([MASK, MASK], [3, 4, MASK, MASK], [3, 4, 5, 5])


def test_tokens_that_move_are_refused():
    with pytest.raises(RecordingError, match=r"emit\(\) of canvas 0: 4 tokens moved: the same tokens stand in the sam"):
        flexible([MASK] * 8, [MASK, 3, 4, 5, 6, MASK, MASK, MASK], [2, 7, 3, 4, 5, 6, 2, 2])
    with pytest.raises(RecordingError, match="tokens moved"):  # a deletion
        flexible([MASK] * 8, [2, 3, 4, 5, 6, 7, 8, MASK], [3, 4, 5, 6, 7, 8, MASK, MASK], [3, 4, 5, 6, 7, 8, 2, 2])


def test_a_canvas_whose_length_changes_is_refused():
    recorder = Recorder(mask_token_id=MASK, vocab_size=10)
    recorder.step(noised=[MASK] * 3, draft=[3, 4, 5])
    with pytest.raises(
        RecordingError, match="canvas 0, step 1: the canvas has 4 positions, but 3 in its first step: a"
    ):
        recorder.step(noised=[3, MASK, 4, MASK], draft=[3, 5, 4, 6])
    assert recorder.trace.n_steps == 1


def test_masking_again_and_editing_are_no_shift():
    """All tokens masked again and others unmasked; three tokens edited at once; equal tokens everywhere."""
    flexible([MASK] * 8, [3, 4, 5, 6, MASK, MASK, MASK, MASK], [MASK] * 4 + [3, 4, 5, 6], [3, 4, 5, 6] * 2)
    flexible([MASK] * 8, [3, 4, 5, 6, 7, MASK, MASK, MASK], [4, 5, 6, 2, 7, MASK, 3, MASK], [4, 5, 6, 2, 7, 3, 3, 3])
    flexible([MASK] * 8, [3] * 4 + [MASK] * 4, [3] * 8, [4] * 8)
    flexible([MASK] * 6, [3, 4, PAD, PAD, MASK, MASK], [3, 4, MASK, PAD, 2, MASK], [3, 4, 2, PAD, 2, 2], length=6)


def test_a_log_of_such_a_loop_is_refused(tmp_path):
    lines = [
        {"format": "dgemma_viz.lines", "version": 2, "facts": {"mask_token_id": MASK, "pad_token_id": PAD}},
        {"step": 0, "noised": [MASK, MASK, PAD, PAD], "draft": [3, 4, PAD, PAD]},
        {"step": 1, "noised": [3, MASK, 4, PAD], "draft": [3, 5, 4, PAD]},
        {"step": 2, "noised": [3, 5, 4, MASK], "draft": [3, 5, 4, 6]},
        {"emitted": [3, 5, 4, 6]},
    ]
    path = tmp_path / "run.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    with pytest.raises(TraceFileError, match="canvas 0, sample 0, after step 1: the canvas grew: position 3 held padd"):
        load_trace(path)
