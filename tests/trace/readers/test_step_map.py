"""Step maps in the shapes that public loops write: the canvases between follow, the rest is absent and said to be."""

import json
from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import TraceFileError
from dgemma_viz.rules.finding import Severity
from dgemma_viz.trace import NoticeCode, load_traces
from dgemma_viz.views import contents


def written(folder, content, name="run.json"):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder / name


def codes(trace):
    return {notice.code for notice in trace.facts.notices}


def jetengine(kept, **more):
    """As ``jetengine_ext/engine/llm_engine.py`` returns one output."""
    return {"text": "...", "token_ids": kept.final.tolist(), "first_unmask_times": (kept.step_map + 1).tolist(), **more}


def test_what_jetengine_returns_gives_the_canvases_that_the_loop_had(kept, tmp_path):
    path = written(tmp_path, jetengine(kept, prompt_token_ids=kept.prompt[0].tolist()))
    trace = dv.load_trace(path, kept.tokenizer)
    for name in ("noised", "accepted", "decision", "emitted", "prompt"):
        np.testing.assert_array_equal(getattr(trace, name), getattr(kept.trace, name), err_msg=name)
    assert trace.output_text() == kept.trace.output_text()
    assert {"confidence", "entropy", "candidate", "top_k_ids", "temperature", "wall_time"} <= set(trace.facts.absent)
    assert np.isnan(trace.confidence).all()
    assert np.isnan(trace.entropy).all()
    assert trace.facts.derived == {"noised", "accepted", "draft"}
    assert NoticeCode.MASK_INFERRED not in codes(trace)
    trace.save(tmp_path / "again.safetensors")
    assert dv.load_trace(tmp_path / "again.safetensors").facts == trace.facts


def test_what_cannot_be_checked_is_not_passed(kept, tmp_path):
    """The canvases are derived from the map, so a rule about them would hold whatever the runtime did."""
    trace = dv.load_trace(written(tmp_path, jetengine(kept)), kept.tokenizer)
    report = dv.check_conformance(trace)
    assert not report.violations
    reasons = dict(report.not_checked)
    for rule in ("unmasked-stay", "undecided-masked", "emitted-is-last-canvas", "candidate-probability"):
        assert "needs" in reasons[rule], rule
    reference = kept.trace.output_text()
    diagnosis = dv.diagnose(trace, reference)
    assert all(finding.severity <= Severity.NOTE for finding in diagnosis)
    assert "derived" in dict(diagnosis.not_applied)["right-then-lost"]


def test_what_the_map_does_say_is_checked(tmp_path):
    """How many positions a step reveals, and of which block, is what a step map measures."""
    blockwise = [0] * 4 + [1] * 4 + [2] * 8
    settings = {"block_length": 8, "quota": [4, 4, 8]}
    for steps, broken in ((blockwise, set()), (blockwise[::-1], {"unmasked-in-blocks"})):
        trace = dv.load_trace(written(tmp_path, {"token_ids": list(range(5, 21)), "step_map": steps}))
        report = dv.check_conformance(replace(trace, facts=replace(trace.facts, settings=settings)))
        assert {violation.rule for violation in report.violations} == broken
        assert {*report.passed} == {"unmasked-in-blocks", "unmasked-as-many"} - broken


def test_a_page_is_built_and_says_what_is_derived(kept, tmp_path):
    trace = dv.load_trace(written(tmp_path, jetengine(kept)), kept.tokenizer)
    dv.explore(trace)
    page = str(contents(trace).whole_page())
    assert "rebuilt from them" in page
    assert "Not recorded" in page


def test_sglang_counts_anew_in_each_block(tmp_path):
    """``meta_info.step_maps`` of pull request 27943; the first block begins inside the prompt."""
    steps = [1, 2, 2, *[2, 1, 3, 1], *[1, 1]]
    output = {"output_ids": [*range(5, 14)], "text": "...", "meta_info": {"prompt_tokens": 5, "step_maps": steps}}
    path = written(tmp_path, output)
    with pytest.raises(TraceFileError, match=r"block_length=32"):
        dv.load_trace(path)
    trace = dv.load_trace(path, block_length=4)
    assert trace.canvas_lengths.tolist() == [3, 4, 2]
    assert np.bincount(trace.canvas).tolist() == [2, 3, 1]
    mask = trace.facts.mask_token_id
    np.testing.assert_array_equal(trace.noised[3, 0], [mask, 9, mask, 11])
    assert trace.emitted_ids().tolist() == [*range(5, 14)]
    assert codes(trace) >= {NoticeCode.MASK_INFERRED, NoticeCode.NOISED_DERIVED}
    assert mask not in trace.emitted


def test_blocks_of_a_map_of_the_whole_answer(tmp_path):
    facts = {"token_ids": [*range(5, 13)], "step_map": [1, 0, 2, 3, 6, 5, 4, 4], "block_length": 4}
    trace = dv.load_trace(written(tmp_path, facts))
    assert np.bincount(trace.canvas).tolist() == [4, 3]
    facts["step_map"][0] = 7
    with pytest.raises(TraceFileError, match="overlap in time"):
        dv.load_trace(written(tmp_path, facts))


def test_a_dump_of_dllm_rl_holds_runs_by_problem_and_sample(kept, tmp_path):
    """``sample/llada_sample.py``: texts and maps, no token ids."""
    text = kept.tokenizer.decode(kept.final.tolist(), skip_special_tokens=False)
    steps = kept.step_map.tolist()
    problems = [
        {"question": "?", "full_output": [text, text], "step_map": [steps, steps], "response_length": [9, 9]},
        {"question": "?", "full_output": [text], "step_map": [steps]},
        {"question": "not kept", "full_output": [text], "step_map": []},
    ]
    path = written(tmp_path, problems)
    with pytest.raises(TraceFileError, match="give the model's tokenizer"):
        load_traces(path)
    traces = load_traces(path, kept.tokenizer)
    assert [*traces] == ["0.0", "0.1", "1"]
    np.testing.assert_array_equal(traces["1"].emitted, kept.trace.emitted)
    assert NoticeCode.TOKENS_ENCODED_AGAIN in codes(traces["1"])
    with pytest.raises(TraceFileError, match=r"holds 3 runs, from '0\.0' to '1'.*load_traces"):
        dv.load_trace(path, kept.tokenizer)
    problems[1]["step_map"][0].append(3)
    with pytest.raises(TraceFileError, match=r"run 0\.0: its text makes 32 tokens .* has 33"):
        load_traces(written(tmp_path, problems), kept.tokenizer)


def test_the_page_of_dllm_rls_viewer(tmp_path):
    data = json.dumps({"pieces": ["The", " cat", " sat", "<|im_end|>"], "step_map": [2, 1, 1, 3], "is_special": []})
    page = f'<!doctype html><script id="data" type="application/json">{data}</script><script>let x = {{}};</script>'
    trace = dv.load_trace(written(tmp_path, page, "trace.html"))
    assert trace.output_text() == "The cat sat<|im_end|>"
    assert [trace.token_text(token) for token in trace.noised[1, 0]] == ["[MASK]", " cat", " sat", "[MASK]"]
    assert NoticeCode.TOKENS_NUMBERED in codes(trace)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"step_map": [0, 1]}, "no tokens beside the step map"),
        ({"step_map": [0, 1], "token_ids": [5]}, "1 token, but the step map has 2"),
        ({"step_map": [0, "1"], "token_ids": [5, 6]}, "list of whole numbers"),
        ({"step_map": [[0], [1]], "token_ids": [[5]]}, "2 step maps, but 1 outputs"),
        ({"step_map": [0, 1], "token_ids": [5, -6]}, "list of token ids"),
        ({"step_map": [0, 2**30], "token_ids": [5, 6]}, "steps x tokens are more than"),
        ({"step_map": [], "token_ids": []}, "told not to keep them"),
        ({"step_map": 5, "token_ids": [5]}, "list of whole numbers"),
    ],
)
def test_maps_that_are_wrong_are_refused(facts, said, tmp_path):
    with pytest.raises(TraceFileError, match=said):
        dv.load_trace(written(tmp_path, facts))
