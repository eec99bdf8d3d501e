"""Histories of token ids as Dream, dLLM-RL and dllm keep them, saved without a pickle."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

import dgemma_viz as dv
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import NoticeCode

MASK = 99


def codes(trace):
    return {notice.code for notice in trace.facts.notices}


def test_dreams_history_begins_after_the_first_step(kept, tmp_path):
    """``DreamModelOutput``: ``history`` of the sequences after each step, and ``sequences``."""
    arrays = {"history": kept.before[1:], "sequences": kept.before[-1], "prompt_length": kept.prompt.shape[1]}
    np.savez(tmp_path / "run.npz", **arrays)
    trace = dv.load_trace(tmp_path / "run.npz", kept.tokenizer)
    for name in ("noised", "accepted", "emitted", "prompt"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(kept.trace, name), err_msg=name)
    assert codes(trace) == {
        NoticeCode.FIRST_CANVAS_DERIVED,
        NoticeCode.DECISIONS_INFERRED,
        NoticeCode.DRAFT_DERIVED,
    }
    assert trace.facts.derived == {"accepted", "draft"}
    report = dv.check_conformance(trace)
    assert "unmasked-stay" in report.passed
    assert "derived" in dict(report.not_checked)["undecided-masked"]
    del arrays["prompt_length"]
    np.savez(tmp_path / "run.npz", **arrays)
    with pytest.raises(TraceFileError, match="does not show where the prompt ends"):
        dv.load_trace(tmp_path / "run.npz", kept.tokenizer)


def test_a_token_that_did_not_stay_is_found(kept, tmp_path):
    history = kept.before.copy()
    history[4:, 0, kept.prompt.shape[1] + int(kept.step_map.argmin())] = 7
    save_file({"histories": history}, tmp_path / "run.safetensors")
    report = dv.check_conformance(dv.load_trace(tmp_path / "run.safetensors", mask_token_id=kept.mask))
    assert {violation.rule for violation in report.violations} == {"unmasked-stay"}


def test_histories_of_dllm_begin_before_it_and_prompts_may_differ(tmp_path):
    """``MDLMSampler``: sequences padded at the right with the end token; answers begin where each prompt ends."""
    first = [[5, 6, 7, MASK, MASK, MASK], [5, MASK, MASK, MASK, 1, 1]]
    histories = np.array([first, first, first])
    histories[1:, 0, 4], histories[1:, 1, 1] = 20, 21
    histories[2][histories[2] == MASK] = 22
    (tmp_path / "run.json").write_text(json.dumps({"histories": histories.tolist(), "eos_token_id": 1}))
    trace = dv.load_trace(tmp_path / "run.json")
    assert trace.facts.mask_token_id == MASK
    assert NoticeCode.MASK_INFERRED in codes(trace)
    np.testing.assert_array_equal(trace.noised[0], np.full((2, 3), MASK))
    np.testing.assert_array_equal(trace.noised[1], [[MASK, 20, MASK], [21, MASK, MASK]])
    assert [trace.prompt[row][trace.prompt_mask[row]].tolist() for row in range(2)] == [[5, 6, 7], [5]]
    assert trace.facts.eos_token_ids == (1,)


def test_histories_of_bd3lm_grow_by_a_block(tmp_path):
    """``BD3LMSampler``: the prompt alone, then a snapshot after each step of each block that was appended."""
    histories = [[[5, 6]], [[5, 6, 20, MASK]], [[5, 6, 20, 21]], [[5, 6, 20, 21, 22, MASK]], [[5, 6, 20, 21, 22, 23]]]
    (tmp_path / "run.json").write_text(json.dumps({"histories": histories, "mask_token_id": MASK}))
    trace = dv.load_trace(tmp_path / "run.json")
    assert trace.n_canvases == 2
    assert trace.noised[:, 0].tolist() == [[MASK, MASK], [20, MASK], [MASK, MASK], [22, MASK]]
    assert trace.emitted_ids().tolist() == [20, 21, 22, 23]
    assert trace.prompt.tolist() == [[5, 6]]


def test_what_each_step_proposed_is_candidate_and_draft(kept, tmp_path):
    np.savez(tmp_path / "run.npz", histories=kept.before, x0_history=kept.proposed)
    trace = dv.load_trace(tmp_path / "run.npz", kept.tokenizer)
    np.testing.assert_array_equal(trace.candidate, kept.trace.candidate)
    np.testing.assert_array_equal(trace.draft, trace.candidate)
    assert "candidate" not in trace.facts.absent
    report = dv.check_conformance(trace)
    assert report.ok
    assert {"accepted-kept", "emitted-is-last-canvas"} <= set(report.passed)


def test_proposals_alone_are_drafts_of_a_run_of_which_nothing_else_is_known(kept, tmp_path):
    np.savez(tmp_path / "run.npz", x0_history=kept.proposed, prompt_length=kept.prompt.shape[1])
    trace = dv.load_trace(tmp_path / "run.npz", kept.tokenizer)
    np.testing.assert_array_equal(trace.draft[:, 0], kept.proposed[:, 0, kept.prompt.shape[1] :])
    assert {"noised", "accepted", "candidate"} <= set(trace.facts.absent)
    assert dv.check_conformance(trace).ok
    dv.explore(trace)


def test_a_bare_array_and_infilling(tmp_path):
    """Masks inside a given text: what was given is kept, and the canvas reaches from the first mask to the last."""
    rows = np.array([[5, MASK, 6, MASK, 7], [5, 20, 6, MASK, 7], [5, 20, 6, 21, 7]])
    np.save(tmp_path / "run.npy", rows)
    with pytest.raises(TraceFileError, match="where the prompt ends"):
        dv.load_trace(tmp_path / "run.npy")
    np.savez(tmp_path / "run.npz", histories=rows)
    trace = dv.load_trace(tmp_path / "run.npz")
    assert trace.noised[:, 0].tolist() == [[MASK, 6, MASK], [20, 6, MASK]]
    assert trace.decision[0, 0].tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"histories": [[MASK, 6, MASK], [5, 7, MASK], [5, 7, 8]]}, "several tokens were replaced"),
        ({"histories": [[5, MASK, MASK, MASK, MASK], [5, 20, 21, 22, 23], [5, 20, 21]]}, "become shorter"),
        ({"histories": [[5, MASK], [5, 6]], "sequences": [5, 6, 7]}, "'sequences' is"),
        ({"histories": [[5, MASK], [5, 6]], "x0_history": [[5, 6], [5, 6]]}, "of 1 step, 1 sequence"),
        ({"histories": [[5, 6], [5, 6]], "mask_token_id": MASK}, "holds no mask"),
        ({"history": [[5, 6], [5, 7]], "prompt_length": 2, "mask_token_id": 6}, "prompt is to have 2 tokens"),
    ],
)
def test_histories_that_make_no_trace_are_refused(record, said, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(TraceFileError, match=said):
        dv.load_trace(
            tmp_path / "run.json", mask_token_id=record.get("mask_token_id") or (MASK if "shorter" in said else None)
        )


def test_inserted_tokens_are_refused(tmp_path):
    """As those of EditFlow: a position must keep its meaning."""
    rows = [[MASK, MASK, MASK, MASK, MASK, MASK], [20, 21, 22, 23, MASK, MASK], [24, 20, 21, 22, 23, MASK]]
    (tmp_path / "run.json").write_text(json.dumps({"histories": rows}))
    with pytest.raises(TraceFileError, match="tokens moved"):
        dv.load_trace(tmp_path / "run.json", mask_token_id=MASK)
