"""What viewers leave in cells, and in the kernel, of a notebook whose cells are run again; with a real kernel."""

import json

import pytest
from jupyter_client.manager import start_new_kernel

from tests.synthetic import synthetic_trace

PATIENCE = 60
VIEW = "application/vnd.jupyter.widget-view+json"
BEGIN = """\
import json, os
import dgemma_viz as dv
from IPython.display import display
from ipywidgets import VBox, Widget
path = {path!r}
def left():
    "How many widgets there are, and the bytes of their state."
    state = Widget.get_manager_state()["state"]
    return len(state), len(json.dumps(state))
"""


class Notebook:
    """Cells of a notebook that a front end runs by a kernel, with their ids."""

    def __init__(self, path):
        self._manager, self._client = start_new_kernel(kernel_name="python3", startup_timeout=PATIENCE)
        self.run("begin", BEGIN.format(path=str(path)))

    def run(self, cell, source):
        """Run a cell; returns the data of its outputs. The last expression may be a result, told as text."""
        message = self._client.session.msg("execute_request", {"code": source, "silent": False, "store_history": True})
        if cell:
            message["metadata"]["cellId"] = cell
        self._client.shell_channel.send(message)
        outputs, error = [], ""
        while True:
            told = self._client.get_iopub_msg(timeout=PATIENCE)
            if told["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            if told["msg_type"] == "error":
                error = "\n".join(told["content"]["traceback"])
            if told["msg_type"] in {"display_data", "execute_result"}:
                outputs.append(told["content"]["data"])
            if told["msg_type"] == "status" and told["content"]["execution_state"] == "idle":
                assert not error, error
                return outputs

    def value(self, expression):
        """Value of an expression, asked in no cell."""
        return json.loads(eval(self.run("", f"json.dumps({expression})")[0]["text/plain"]))  # noqa: S307 - our own text

    def close(self):
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    path = tmp_path_factory.mktemp("trace") / "run.safetensors"
    synthetic_trace(canvases=2, length=12, steps=[[4], [3]]).save(path)
    notebook = Notebook(path)
    yield notebook
    notebook.close()


def test_a_cell_shows_the_view_and_then_the_picture(notebook):
    view, still = notebook.run("shows", "dv.explore(path)")
    assert view.keys() == {VIEW, "text/plain"}
    assert view["text/plain"] == ""
    assert "Findings" in still["text/html"]
    assert "Viewer" in still["text/plain"]
    assert VIEW not in still


def test_a_cell_that_is_run_again_leaves_as_much_as_when_it_was_run_once(notebook):
    notebook.run("again", "dv.explore(path)")
    once = notebook.value("left()")
    for source in (
        "dv.explore(path)",
        "display(dv.compare(path, path)); dv.explore(path)",
        "dv.explore(path)",
        "display(dv.explore(path))",
    ):
        notebook.run("again", source)
    assert notebook.value("left()") == pytest.approx(once, abs=500)
    notebook.run("again", "1")
    assert notebook.value("left()")[0] < once[0]


def test_a_cell_that_fails_has_thrown_its_viewer_away_too(notebook):
    before = notebook.value("left()[0]")
    notebook.run("fails", "dv.explore(path)")
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        notebook.run("fails", "1 / 0")
    assert notebook.value("left()[0]") == before


def test_a_viewer_that_another_cell_shows_too_stays(notebook):
    notebook.run("first", "kept = dv.explore(path)\nkept")
    notebook.run("second", "kept")
    notebook.run("first", "dv.explore(path)")
    assert notebook.value("kept.comm is not None")
    notebook.run("second", "kept")
    assert notebook.value("kept.comm is not None")
    notebook.run("second", "1")
    assert notebook.value("kept.comm is None")


def test_one_in_a_box_or_shown_by_no_cell_stays(notebook):
    notebook.run("boxed", "boxed = dv.explore(path)\nboxed")
    notebook.run("box", "VBox([boxed])")
    notebook.run("boxed", "1")
    assert notebook.value("boxed.comm is not None")
    notebook.run("", "told = dv.explore(path)\ntold")
    notebook.run("tells", "told")
    notebook.run("tells", "1")
    assert notebook.value("told.comm is not None")


def test_a_closed_one_that_is_shown_again_opens_again_where_it_was(notebook):
    notebook.run("closes", "kept = dv.explore(path)\nkept.go(canvas=1, step=2)\nkept")
    notebook.run("closes", "1")
    assert notebook.value("kept.comm is None")
    view, _ = notebook.run("opens", "kept")
    assert notebook.value("[kept.model_id, kept.place['canvas'], kept.step, kept.layout.comm is not None]") == [
        view[VIEW]["model_id"],
        1,
        2,
        True,
    ]


def test_voila_gets_no_picture(notebook):
    outputs = notebook.run("voila", "os.environ['SERVER_SOFTWARE'] = 'voila/0.5'\ndv.explore(path)")
    notebook.run("", "del os.environ['SERVER_SOFTWARE']")
    assert [VIEW in output for output in outputs] == [True]
