"""Formats are told apart by content; what is none of them is named, and no pickle is ever opened."""

import json
import pickle
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import dgemma_viz as dv
from dgemma_viz.cli import main
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import load_traces
from dgemma_viz.trace.readers import FORMATS

MAP = {"token_ids": [5, 6, 7], "step_map": [0, 1, 1]}


class Bomb:
    """Whoever opens its pickle finds a file that was not there."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("writer", ["pickle", "torch", "npy", "npz"])
def test_a_pickle_is_refused_with_what_to_do_instead(writer, tmp_path):
    path, mark = tmp_path / "run.pt", tmp_path / "opened"
    if writer == "pickle":
        path.write_bytes(pickle.dumps(Bomb(mark)))
    elif writer == "torch":
        torch.save({"history": [torch.zeros(1, 3)], "bomb": Bomb(mark)}, path)
    else:
        save = np.save if writer == "npy" else np.savez
        with path.open("wb") as file:
            save(file, np.array([Bomb(mark)], dtype=object))
    with pytest.raises(TraceFileError, match=r"pickle.*numpy\.savez\(path, history="):
        dv.load_trace(path)
    assert not mark.exists()


@pytest.mark.parametrize("content", ['{"answers": [1, 2]}', "[[1.5, 2.5], [3.5]]", "just text", "", '{"step": 1}'])
def test_what_is_no_format_is_named_and_the_known_ones_are_listed(content, tmp_path):
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(TraceFileError, match="no format that is known") as caught:
        dv.load_trace(tmp_path / "run.json")
    for known in (*(one.name for one in FORMATS), "dgemma_viz.lines", "safetensors"):
        assert known in str(caught.value)
    if "answers" in content:
        assert "an object with the keys 'answers'" in str(caught.value)


def test_every_format_is_told_from_the_others():
    examples = {
        "step map": MAP,
        "history": {"histories": [[9, 9], [5, 9]]},
        "series of text frames": {"frames": [["[MASK]"], ["a"]]},
    }
    assert examples.keys() == {one.name for one in FORMATS}
    for name, content in examples.items():
        assert [one.name for one in FORMATS if one.fits(content)] == [name]


def test_a_folder_of_runs(tmp_path):
    for number in (10, 9):
        (tmp_path / f"run_{number}.json").write_text(json.dumps(MAP))
    (tmp_path / "notes.md").write_text("not looked at")
    assert [*load_traces(tmp_path)] == ["run_9.json", "run_10.json"]
    with pytest.raises(TraceFileError, match="holds 2 runs"):
        dv.load_trace(tmp_path)
    (tmp_path / "wrong.json").write_text("{}")
    with pytest.raises(TraceFileError, match=r"wrong\.json"):
        load_traces(tmp_path)


def test_a_folder_with_a_file_for_each_step(tmp_path):
    for step, frame in enumerate([["[MASK]", "[MASK]"], ["a", "[MASK]"], ["a", "b"]] + [["a", "b"]] * 8):
        (tmp_path / f"frame_{step}.json").write_text(json.dumps(frame))
    trace = dv.load_trace(tmp_path)
    assert trace.n_steps == 10
    assert trace.output_text() == "ab"
    other = tmp_path / "ids"
    other.mkdir()
    for step, ids in enumerate([[99, 99], [5, 99], [5, 6]]):
        np.save(other / f"step_{step}.npy", np.array(ids))
    assert dv.load_trace(other, prompt_length=0).emitted_ids().tolist() == [5, 6]


def test_a_folder_without_runs(tmp_path):
    with pytest.raises(TraceFileError, match="holds no file of a run"):
        dv.load_trace(tmp_path)


def test_an_archive_that_unpacks_to_more_than_is_read(tmp_path):
    with zipfile.ZipFile(tmp_path / "run.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("history.npy", b"\0" * (2**28 + 1))
    with pytest.raises(TraceFileError, match="unpacks to more than"):
        dv.load_trace(tmp_path / "run.npz")


def test_the_command_line_opens_them_too(tmp_path, capsys):
    (tmp_path / "run.json").write_text(json.dumps(MAP))
    assert main(["check", str(tmp_path)]) == 1
    assert "Nothing could be checked" in capsys.readouterr().out
    assert main(["diagnose", str(tmp_path / "run.json")]) == 0
    assert "not applied" in capsys.readouterr().out
    assert main(["export", str(tmp_path / "run.json"), "-o", str(tmp_path / "run.html")]) == 0
    assert (tmp_path / "run.html").stat().st_size > 10_000


NUMBERS = st.integers(-2, 12) | st.sampled_from([2**31, 2**40, -(2**70), 1e300, True, None])
VALUES = st.recursive(NUMBERS | st.text(max_size=3), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
ROWS = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), min_size=2, max_size=4)
KEYS = (
    *(
        "step_map",
        "first_unmask_times",
        "token_ids",
        "pieces",
        "text",
        "meta_info",
        "history",
        "histories",
        "sequences",
    ),
    *("x0_history", "frames", "mask_token_id", "prompt_length", "block_length", "input_ids", "eos_token_id", "model"),
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("any") / "run.json"


@settings(max_examples=150, derandomize=True, database=None)
@given(
    content=st.dictionaries(st.sampled_from(KEYS), VALUES | ROWS, max_size=5) | VALUES,
    told=st.none() | st.integers(0, 9),
)
def test_any_content_is_a_trace_or_refused(path, content, told):
    path.write_text(json.dumps(content))
    traces = {}
    with suppress(TraceFileError):
        traces = load_traces(path, mask_token_id=told, prompt_length=told)
    for trace in traces.values():
        assert trace.facts.absent
        trace.save(path.with_suffix(".safetensors"))


@pytest.mark.parametrize("name", ["mask_token_id", "prompt_length", "block_length"])
def test_what_is_told_must_be_a_number(name, tmp_path):
    (tmp_path / "run.json").write_text(json.dumps(MAP))
    with pytest.raises(TraceFileError, match=f"'{name}' must be a whole number"):
        dv.load_trace(tmp_path / "run.json", **{name: -1})
