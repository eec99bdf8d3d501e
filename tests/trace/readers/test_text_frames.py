"""Frames of text as those who draw runs keep them: positions where there are some, ids that are nobody's."""

import json

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import NoticeCode, load_traces

FRAMES = [["[MASK]"] * 4, ["The", "[MASK]", "[MASK]", "."], ["The", " cat", " sat", "."]]


def written(folder, content, name="run.json"):
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return folder / name


def read_texts(trace, step):
    return [trace.token_text(token) for token in trace.noised[step, 0]]


@pytest.mark.parametrize(
    "content",
    [
        {"frames": FRAMES},
        FRAMES,
        [[[token, "#444444"] for token in frame] for frame in FRAMES],
        {"frames": [{"tokens": [{"text": token} for token in frame]} for frame in FRAMES]},
        "\n".join(json.dumps({"step": step, "tokens": frame}) for step, frame in enumerate(FRAMES)),
        "\n".join(json.dumps({"step": step, "text": "".join(frame)}) for step, frame in enumerate(FRAMES)),
    ],
    ids=["tokens", "bare", "gradio", "objects", "lines", "texts"],
)
def test_frames_of_any_kind(content, tmp_path):
    if "cat" in str(content) and '"text": "The cat' in str(content):
        content = content.replace(" sat.", " sat .").replace("[MASK][MASK].", "[MASK][MASK] .")
        content = content.replace("[MASK][MASK][MASK][MASK]", "[MASK][MASK][MASK][MASK]")
    trace = dv.load_trace(written(tmp_path, content))
    assert trace.output_text().replace(" .", ".") == "The cat sat."
    assert read_texts(trace, 0) == ["[MASK]"] * 4
    assert read_texts(trace, 1)[:3] == ["The", "[MASK]", "[MASK]"]
    assert NoticeCode.TOKENS_NUMBERED in {notice.code for notice in trace.facts.notices}
    assert "confidence" in trace.facts.absent
    dv.explore(trace)
    assert dv.check_conformance(trace).ok


def test_lladas_sample_process(tmp_path):
    """``visualization/generate.py``: a line after each step, and another run behind the first if it ran twice."""
    mask = "*<|mdm_mask|>&"
    first = [f"1, {mask}* &{mask}**&", "2, *a&* &*&&**&"]
    trace = dv.load_trace(written(tmp_path, "\n".join(first), "sample_process.txt"))
    assert trace.output_text() == "a &*"
    assert read_texts(trace, 0) == ["[MASK]"] * 4
    assert read_texts(trace, 1) == ["[MASK]", " ", "[MASK]", "*"]
    assert NoticeCode.FIRST_CANVAS_DERIVED in {notice.code for notice in trace.facts.notices}
    traces = load_traces(written(tmp_path, "\n".join([*first, *first]) + "\n", "sample_process.txt"))
    assert [*traces] == ["0", "1"]


def test_frames_without_masks_are_drafts(tmp_path):
    """As a streamer of DiffusionGemma's drafts shows them: what was read and accepted is not known."""
    trace = dv.load_trace(written(tmp_path, {"frames": ["one cat sat", "two cats sat", "two cats ran"]}))
    assert {"noised", "accepted"} <= set(trace.facts.absent)
    assert trace.facts.derived == frozenset()
    assert [trace.token_text(token) for token in trace.draft[1, 0]] == ["two", " cats", " sat"]
    report = dv.check_conformance(trace)
    assert not report.violations
    assert not report.passed


def test_texts_are_encoded_where_a_tokenizer_is_given(kept, tmp_path):
    answers = kept.before[:, 0, kept.prompt.shape[1] :]
    texts = [kept.tokenizer.decode(ids.tolist(), skip_special_tokens=False) for ids in answers]
    trace = dv.load_trace(written(tmp_path, {"frames": texts}), kept.tokenizer)
    np.testing.assert_array_equal(trace.noised[:, 0], answers[:-1])
    assert NoticeCode.TOKENS_ENCODED_AGAIN in {notice.code for notice in trace.facts.notices}


@pytest.mark.parametrize(
    "frames", [["[MASK][MASK]", "a cat sat"], [["a", "b"], ["a", "b", "c"]], [["[MASK]", "b"], ["a"]]]
)
def test_frames_whose_positions_do_not_keep_their_meaning_are_refused(frames, tmp_path):
    with pytest.raises(TraceFileError, match="do not have the same positions"):
        dv.load_trace(written(tmp_path, {"frames": frames}))
