"""A file is written whole or not at all, by every writer: what was there stays, and nothing is left beside it."""

import ast
import stat
from contextlib import contextmanager
from pathlib import Path

import pytest

import dgemma_viz as dv
from dgemma_viz.errors import DgemmaVizError, SettingError, TraceFileError
from dgemma_viz.export.animation import export_gif
from dgemma_viz.serving.notebooks import copy_notebooks
from dgemma_viz.trace.json_lines import save_json_lines
from dgemma_viz.write_whole import write_whole
from tests.synthetic import synthetic_trace

resource = pytest.importorskip("resource", reason="the disk is filled as POSIX can")

PACKAGE = Path(dv.__file__).parent
NOT_A_USERS_FILE = {
    "export/animation.py": "a film in memory",
    "labs/sweep/store.py": "a log that grows line by line, and takes a torn last line for what it is",
    "serving/forked_kernels.py": "the name of a process",
    "serving/server.py": "a temporary folder",
    "widgets/trace_file_panel.py": "a temporary folder",
}


@contextmanager
def full_disk(left=200):
    """Writing beyond so many bytes fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


WRITERS = {
    "run.html": dv.export_html,
    "run.gif": export_gif,
    "run.safetensors": lambda trace, path: trace.save(path),
    "run.jsonl": save_json_lines,
}


@pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS)
def test_a_write_that_fails_leaves_what_was_there(name, write, tmp_path):
    path = tmp_path / name
    path.write_text("before")
    trace = synthetic_trace()
    with full_disk(), pytest.raises(DgemmaVizError, match=rf"cannot write '.*{name}'"):
        write(trace, path)
    assert [left.name for left in tmp_path.iterdir()] == [name]
    assert path.read_text() == "before"
    write(trace, path)
    assert [left.name for left in tmp_path.iterdir()] == [name]
    assert path.stat().st_size > 200


def test_notebooks_are_copied_whole(tmp_path):
    with full_disk(), pytest.raises(SettingError, match="cannot write"):
        copy_notebooks(tmp_path / "course")
    assert not list((tmp_path / "course").iterdir())


def test_a_state_of_training_is_written_whole(tmp_path):
    from dgemma_viz.tiny.courses import COURSES
    from dgemma_viz.tiny.training import Recipe, TrainingRun

    drafter = COURSES["drafter"]
    path, run = tmp_path / "state.pt", TrainingRun(drafter.learner, Recipe(drafter.schedule))
    path.write_text("before")
    with full_disk(), pytest.raises(SettingError, match="cannot write"):
        run.save(path)
    assert [left.name for left in tmp_path.iterdir()] == ["state.pt"]
    assert path.read_text() == "before"


def test_an_interrupt_leaves_nothing_either(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("before")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "chmod", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"after")
    assert [left.name for left in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_errors_are_those_of_the_caller(tmp_path):
    for error in (SettingError, TraceFileError):
        with pytest.raises(error, match="choose a folder that exists"):
            write_whole(tmp_path / "none" / "file", b"", error)


def test_a_new_file_can_be_read_by_those_who_may_read_others(tmp_path):
    write_whole(tmp_path / "ours", b"")
    (tmp_path / "other").write_text("")
    modes = {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_there_is_no_other_way_to_write():
    """Where something else writes, it is no file of a user's."""
    writes = {"write_text", "write_bytes", "copyfile", "copy", "NamedTemporaryFile", "mkstemp"}
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for call in (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)):
            name = getattr(call.func, "attr", getattr(call.func, "id", ""))
            opened = name == "open" and any(
                isinstance(part, ast.Constant) and isinstance(part.value, str) and set(part.value) & set("wax+")
                for given in [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
                for part in ast.walk(given)
            )
            owner = getattr(getattr(call.func, "value", None), "id", "")
            if opened or (name in writes and not (name == "copy" and owner != "shutil")):
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"write_whole.py", *NOT_A_USERS_FILE}
