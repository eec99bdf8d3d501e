"""Emitted tokens as runtimes hold them: padded, the raw canvas, or cut at the end token, with it or without."""

import json
from dataclasses import replace

import numpy as np
import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.steps import tokens_per_forward
from dgemma_viz.conformance import check_conformance
from dgemma_viz.diagnosis import Severity
from dgemma_viz.errors import RecordingError, TraceFileError
from dgemma_viz.trace import load_json_lines, save_json_lines
from tests.conformance.conftest import edited, record_batch

FORMS = ("padded", "raw", "cut behind the end", "cut before the end", "filled with end tokens")


@pytest.fixture(scope="module")
def ended(tiny):
    """Two samples over several canvases, of which one ends early and waits for the other."""
    trace = record_batch(*tiny, ["sort", "long"], seed=3)
    assert trace.n_canvases > 1
    assert trace.past_end[1:, 0].all()
    return trace


def drafts(trace):
    """The last draft of each canvas of each sample: ``(N, B, C)``."""
    last = np.flatnonzero(np.append(trace.canvas[1:] != trace.canvas[:-1], True))
    return trace.draft[last]


def as_held(ids, draft, form, facts):
    """What a runtime would log for one canvas of one sample; None for a canvas after the end that it leaves out."""
    ends = np.flatnonzero(np.isin(draft, facts.eos_token_ids))
    if form == "raw":
        return draft.tolist()
    if form == "padded" or not len(ends):
        return ids.tolist()
    if form == "filled with end tokens":
        return np.where(np.arange(len(ids)) > ends[0], draft[ends[0]], ids).tolist()
    return ids[: ends[0] + (form == "cut behind the end")].tolist()


def logged(trace, form, tmp_path):
    """The trace, written as a log that holds its emitted tokens in one form."""
    path = tmp_path / "run.jsonl"
    save_json_lines(trace, path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if "emitted" in line and not line.pop("past_end"):
            draft = drafts(trace)[line["canvas"], line["sample"]]
            line["emitted"] = as_held(np.array(line["emitted"]), draft, form, trace.facts)
    path.write_text("\n".join(map(json.dumps, lines)))
    return load_json_lines(path)


@pytest.mark.parametrize("form", FORMS)
def test_a_healthy_run_conforms_in_every_form(ended, form, tmp_path):
    trace = logged(ended, form, tmp_path)
    report = check_conformance(trace)
    assert report.ok, str(report)
    assert {"padding-after-end", "emitted-is-last-draft"} <= {*report.passed}
    for sample in range(trace.n_samples):
        assert trace.output_text(sample) == ended.output_text(sample)
        assert tokens_per_forward(trace, sample) == tokens_per_forward(ended, sample)
    assert not [one for one in dv.diagnose(trace).findings if one.severity is Severity.ERROR]


@pytest.mark.parametrize("form", FORMS)
def test_an_own_loop_may_hold_them_in_every_form(ended, form):
    facts = ended.facts
    recorder = dv.Recorder(
        vocab_size=facts.vocab_size, eos_token_ids=facts.eos_token_ids, pad_token_id=facts.pad_token_id
    )
    arrays = ("noised", "candidate", "draft", "accepted", "entropy", "confidence")
    for canvas, draft in enumerate(drafts(ended)):
        for step in np.flatnonzero(ended.canvas == canvas):
            given = {name: getattr(ended, name)[step] for name in arrays}
            recorder.step(**given, active=ended.active[step], finished=ended.finished[step])
        rows = [
            ids.tolist() if ended.past_end[canvas, sample] else as_held(ids, draft[sample], form, facts)
            for sample, ids in enumerate(ended.emitted[canvas])
        ]
        recorder.emit(rows)
    trace = recorder.trace
    assert check_conformance(trace).ok, str(check_conformance(trace))
    assert [trace.output_ids(sample).tolist() for sample in (0, 1)] == [
        ended.output_ids(sample).tolist() for sample in (0, 1)
    ]


def test_text_after_the_end_is_still_named(ended):
    raw = replace(ended, emitted=np.where(ended.past_end[..., None], ended.emitted, drafts(ended)))
    assert check_conformance(raw).ok
    end = int(np.flatnonzero(np.isin(raw.emitted[0, 0], ended.facts.eos_token_ids))[0])
    other = (int(drafts(ended)[0, 0, end + 2]) + 1) % 90
    violation = check_conformance(edited(raw, "emitted", (0, 0, end + 2), other)).first("padding-after-end")
    assert (violation.canvas, violation.sample, violation.position) == (0, 0, end + 2)


def test_half_raw_is_neither(ended):
    end = int(np.flatnonzero(np.isin(ended.emitted[0, 0], ended.facts.eos_token_ids))[0])
    draft = np.array(ended.draft)
    draft[:, 0, end + 1 :] = 50
    half = edited(replace(ended, draft=draft), "emitted", (0, 0, end + 1), 50)
    assert check_conformance(half).first("padding-after-end").position == end + 1


def test_a_raw_canvas_with_text_behind_its_end_is_no_error(ended):
    """It stands in the draft, which is worth a word; that it was not replaced is how the runtime keeps its canvas."""
    end = int(np.flatnonzero(np.isin(ended.emitted[0, 0], ended.facts.eos_token_ids))[0])
    draft, emitted = np.array(ended.draft), np.array(ended.emitted)
    draft[:, 0, end + 1 :] = emitted[0, 0, end + 1 :] = 50
    found = [one for one in dv.diagnose(replace(ended, draft=draft, emitted=emitted)) if one.rule == "text-after-end"]
    assert [one.severity for one in found] == [Severity.WARNING]
    assert "left in the raw canvas that the runtime keeps" in found[0].what


def test_without_padding_what_was_cut_off_is_filled_with_the_end(ended, tmp_path):
    facts = replace(ended.facts, pad_token_id=None)
    trace = logged(replace(ended, facts=facts), "cut before the end", tmp_path)
    report = check_conformance(trace)
    assert not report.violations, str(report)
    assert trace.output_text() == ended.output_text()


def test_cut_in_the_middle_is_refused(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text(
        '{"format": "dgemma_viz.lines", "version": 1, "facts": {"eos_token_ids": [1], "pad_token_id": 0}}\n'
        '{"draft": [4, 5, 6, 7]}\n{"emitted": [4, 5]}\n'
    )
    with pytest.raises(TraceFileError, match=r"line 3: .*neither they nor the draft behind them end the sequence"):
        load_json_lines(path)
    recorder = dv.Recorder(vocab_size=10, eos_token_ids=[1], pad_token_id=0)
    recorder.step(noised=[3, 3, 3, 3], draft=[4, 5, 6, 7])
    with pytest.raises(RecordingError, match="neither they nor the draft behind them end the sequence"):
        recorder.emit([4, 5])
    recorder.emit([4, 5, 6, 7])


def test_a_masked_canvas_cut_at_its_end():
    """What the runtime threw away behind the end was unmasked all the same."""
    recorder = dv.Recorder(vocab_size=10, eos_token_ids=[1], pad_token_id=0, mask_token_id=9)
    recorder.step(noised=[9, 9, 9, 9], candidate=[4, 1, 6, 7], accepted=[1, 1, 0, 0])
    recorder.step(noised=[4, 1, 9, 9], candidate=[4, 1, 6, 7], accepted=[0, 0, 1, 1])
    recorder.emit([4, 1])
    trace = recorder.trace
    assert trace.decision[:, 0].tolist() == [[1, 1, 0, 0], [2, 2, 1, 1]]
    assert trace.emitted.tolist() == [[[4, 1, 0, 0]]]
    assert check_conformance(trace).ok, str(check_conformance(trace))
