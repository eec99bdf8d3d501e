"""Opening a trace file: real ones are shown, others end as a message that names the file and not where it was put."""

import tempfile

import pytest

from dgemma_viz.widgets.trace_file_panel import TraceFilePanel
from tests.synthetic import synthetic_trace


@pytest.fixture
def saved(tmp_path):
    synthetic_trace(length=8, steps=4).save(tmp_path / "run.safetensors")
    return (tmp_path / "run.safetensors").read_bytes()


@pytest.fixture
def panel():
    return TraceFilePanel()


def test_a_trace_file_is_explored(panel, saved):
    panel.open_file("run.safetensors", saved)
    assert panel.viewer.trace.n_steps == 4
    assert "run.safetensors: 4 steps" in panel.status.value


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("notes.txt", b"no trace at all"),
        ("cut.safetensors", None),
        ("empty.safetensors", b""),
        ("<img src=x onerror=alert(1)>.safetensors", b"\x00" * 64),
    ],
)
def test_a_bad_file_is_a_message_and_what_was_shown_stays(panel, saved, name, data):
    panel.open_file("run.safetensors", saved)
    before = panel.viewer.trace
    panel.open_file(name, saved[:200] if data is None else data)
    assert 'role="alert"' in panel.status.value
    assert name.split("<")[0] in panel.status.value
    assert "<img" not in panel.status.value
    assert tempfile.gettempdir() not in panel.status.value
    assert panel.viewer.trace is before
    panel.open_file("run.safetensors", saved)
    assert "4 steps" in panel.status.value


def test_the_right_answer_can_be_given_before_and_after(panel, saved):
    panel.reference.value = "something else"
    panel.open_file("run.safetensors", saved)
    against = panel.viewer.diagnosis
    assert against.judgements[0].reference == "something else"
    panel.reference.value = ""
    assert panel.viewer.diagnosis.judgements[0] is None
