"""Files that earlier versions wrote still open, and mean the same.

``files/schema_N.safetensors`` was recorded by the code that introduced schema N (1: commit e5396a1, 2: 179da18, 3: the
commit that added the file), with ``dgemma-viz record --task long --seed 0 --top-k 2``: one and the same run. File 4 is
file 3 as the code of its commit saves it, since another machine rounds entropies otherwise; files 5 and 6 are file 4 in
the same way, and lines 3 and 4 are lines 2.
``files/lines_N.jsonl`` is that run as JSON lines, written by ``save_json_lines`` of the commit that introduced version
N. These files are never made again by newer code.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import dgemma_viz as dv
from dgemma_viz.trace import SCHEMA_VERSION, Decision, load_trace, save_json_lines
from dgemma_viz.trace.file import FORMAT
from dgemma_viz.trace.logged_lines import VERSION
from dgemma_viz.trace.schema import ARRAYS, TOKEN_ARRAYS

FILES = Path(__file__).parent / "files"
TRACES = [f"schema_{version}.safetensors" for version in range(1, SCHEMA_VERSION + 1)]
LINES = [f"lines_{version}.jsonl" for version in range(1, VERSION + 1)]
ANSWER = "".join(
    f" ({letter}) Tom has a {thing}."
    for letter, thing in zip(
        "abcdefg",
        ("red boat", "pink lamp", "white doll", "pink bike", "green doll", "white boat", "gold book"),
        strict=True,
    )
)


def assert_equal(first, second, but=()):
    for name in ARRAYS:
        if name not in but:
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name), err_msg=name)
    assert dict(first.token_texts) == dict(second.token_texts)


def test_each_version_has_a_file_made_by_its_own_code():
    """Who raises a version adds a file that the new code recorded, and keeps the old ones."""
    assert {path.name for path in FILES.iterdir()} == {*TRACES, *LINES}
    for version, name in enumerate(TRACES, start=1):
        with safe_open(FILES / name, framework="numpy") as file:
            assert file.metadata()["schema_version"] == str(version)
    for version, name in enumerate(LINES, start=1):
        assert json.loads((FILES / name).read_text("utf-8").splitlines()[0])["version"] == version


def test_the_arrays_do_not_change_without_a_new_version():
    with safe_open(FILES / TRACES[-1], framework="numpy") as file:
        assert file.metadata()["format"] == FORMAT
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    assert set(stored) == {*ARRAYS, "vocabulary", "token_texts", "generator_state"}
    for name, spec in ARRAYS.items():
        assert stored[name].ndim == len(spec.axes), name
        assert stored[name].dtype == ("uint16" if name in TOKEN_ARRAYS else spec.dtype), name


@pytest.mark.parametrize("name", TRACES + LINES)
def test_an_older_file_opens_and_means_the_same(name, tmp_path):
    trace = load_trace(FILES / name)
    assert trace.output_text() == ANSWER == trace.facts.task.reference
    assert trace.prompt_text().startswith("<bos>list Tom: (a) red boat (b) pink lamp")
    assert (trace.n_steps, trace.n_canvases, trace.canvas.tolist()) == (4, 2, [0, 0, 1, 1])
    assert trace.facts.status == "complete"
    assert trace.facts.settings["entropy_bound"] == pytest.approx(0.1)
    np.testing.assert_allclose(trace.temperature, [0.8, 0.4 + 0.4 * 47 / 48] * 2, rtol=1e-6)
    assert trace.accepted.sum(axis=-1)[:, 0].tolist() == [33, 48, 48, 48]
    np.testing.assert_array_equal(trace.decision, np.where(trace.accepted, Decision.ACCEPTED, Decision.NOISE))
    assert not trace.phase.any()
    assert_equal(trace, load_trace(FILES / TRACES[-1]), but=("wall_time",))

    assert not list(dv.diagnose(trace, ANSWER))
    assert "wrong-answer" in {finding.rule for finding in dv.diagnose(trace, ANSWER.replace("gold", "black"))}
    assert dv.check_conformance(trace).ok
    viewer = dv.explore(trace, ANSWER, place={"canvas": 1, "step": 1, "position": 3})
    assert (viewer.step, viewer.run.n_steps, viewer.position) == (1, 2, 3)

    trace.save(tmp_path / "again.safetensors")
    with safe_open(tmp_path / "again.safetensors", framework="numpy") as file:
        assert file.metadata()["schema_version"] == str(SCHEMA_VERSION)
    save_json_lines(trace, tmp_path / "again.jsonl")
    for again in (load_trace(tmp_path / "again.safetensors"), load_trace(tmp_path / "again.jsonl")):
        assert_equal(again, trace)
        assert again.facts == trace.facts
