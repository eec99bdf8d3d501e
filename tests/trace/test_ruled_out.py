"""Arrays of what was ruled out: both or neither, within the vocabulary, kept by every way that a trace goes."""

import json
from dataclasses import replace

import numpy as np
import pytest

from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.labs.interventions.repeatable import cut
from dgemma_viz.trace import load_trace, save_json_lines
from dgemma_viz.trace.schema import RULED_OUT
from tests.synthetic import synthetic_trace


@pytest.fixture(scope="module")
def trace():
    plain = synthetic_trace(canvases=2, length=(5, 12), steps=[[4], [3]])
    banned = np.zeros(plain.noised.shape, dtype=np.int32)
    drafts = np.full(plain.noised.shape, -1, dtype=np.int32)
    banned[1, 0, 2], banned[2, 0, 3] = plain.facts.vocab_size - 1, 4
    drafts[1, 0, 2] = plain.facts.vocab_size - 2
    return replace(plain, banned=banned, banned_draft=drafts)


def assert_kept(again, trace, steps=slice(None)):
    for name in RULED_OUT:
        np.testing.assert_array_equal(getattr(again, name), getattr(trace, name)[steps], err_msg=name)


def changed(trace, name, value, where=(0, 0, 0)):
    array = getattr(trace, name).copy()
    array[where] = value
    return {name: array}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda _: {"banned": None}, "belong together"),
        (lambda trace: {"banned_draft": trace.banned_draft[:, :, :3]}, "has shape"),
        (lambda trace: changed(trace, "banned", -1), "keeps its probability"),
        (lambda trace: changed(trace, "banned", trace.facts.vocab_size), "keeps its probability"),
        (lambda trace: changed(trace, "banned_draft", trace.facts.vocab_size), "outside the vocabulary"),
        (lambda trace: changed(trace, "banned_draft", -2), "outside the vocabulary"),
        (lambda trace: changed(trace, "banned_draft", 3), "none was ruled out"),
    ],
)
def test_contradictions_are_refused(trace, change, words):
    with pytest.raises(TraceError, match=words):
        replace(trace, **change(trace))


def test_files_tables_and_cuts_keep_them(trace, tmp_path):
    trace.save(tmp_path / "run.safetensors")
    assert_kept(load_trace(tmp_path / "run.safetensors"), trace)
    save_json_lines(trace, tmp_path / "run.jsonl")
    assert_kept(load_trace(tmp_path / "run.jsonl"), trace)
    assert_kept(cut(trace, 6), trace, slice(6))
    assert trace.to_dataframe()["banned"].sum() == trace.banned.sum()
    assert "banned" not in synthetic_trace().to_dataframe().columns
    assert "banned" in trace.to_xarray()


def logged(trace, path, edit):
    """A log with its step lines edited."""
    save_json_lines(trace, path)
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for line in lines:
        if "draft" in line:
            edit(line)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return load_trace(path)


def test_lines_without_anything_ruled_out_may_leave_the_keys_out(trace, tmp_path):
    def edit(line):
        if not any(line["banned"]):
            del line["banned"], line["banned_draft"]

    assert_kept(logged(trace, tmp_path / "run.jsonl", edit), trace)


def test_a_log_may_tell_counts_alone_or_nothing(trace, tmp_path):
    again = logged(trace, tmp_path / "run.jsonl", lambda line: line.pop("banned_draft"))
    np.testing.assert_array_equal(again.banned, trace.banned)
    assert (again.banned_draft == -1).all()
    nothing = logged(trace, tmp_path / "run.jsonl", lambda line: (line.pop("banned"), line.pop("banned_draft")))
    assert nothing.banned is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("banned", [0.5], "numbers of tokens"),
        ("banned", "none", "numbers of tokens"),
        ("banned", [10**12], "numbers of tokens"),
        ("banned_draft", 7, "null for none"),
        ("banned_draft", [-1], "token ids"),
        ("banned", [0], "1 position, but"),
    ],
)
def test_mistakes_in_a_log_name_their_line(trace, tmp_path, name, value, words):
    with pytest.raises(TraceFileError, match=rf"line 2: '{name}' .*{words}"):
        logged(trace, tmp_path / "run.jsonl", lambda line: line.update({name: value}))
