"""Only regular trace files directly inside the folder are published; what is wrong with one is said, not raised."""

import os

import pytest

from dgemma_viz.cli import main
from dgemma_viz.errors import TraceFileError
from dgemma_viz.serving.published_traces import list_traces, open_published, published_file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    folder = outside / "published"
    folder.mkdir()
    assert main(["record", "--task", "sudoku", "-o", str(folder / "good.safetensors")]) == 0
    (outside / "secret.safetensors").write_bytes((folder / "good.safetensors").read_bytes())
    (folder / "link.safetensors").symlink_to(outside / "secret.safetensors")
    (folder / "inner.safetensors").symlink_to(folder / "good.safetensors")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    (folder / "deep").mkdir()
    (folder / "deep" / "down.safetensors").write_bytes((folder / "good.safetensors").read_bytes())
    (folder / "folder.safetensors").mkdir()
    (folder / ".hidden.safetensors").write_bytes(b"")
    (folder / "notes.txt").write_text("private")
    (folder / "broken.safetensors").write_bytes(b"junk")
    os.mkfifo(folder / "pipe.jsonl")
    return folder


def test_what_is_listed(folder):
    cards = {card.name: card for card in list_traces(folder)}
    assert list(cards) == ["broken.safetensors", "good.safetensors", "inner.safetensors"]
    assert cards["good.safetensors"].prompt.startswith("sudoku ")
    assert cards["good.safetensors"].steps > 0
    assert "truncated or not a safetensors file" in cards["broken.safetensors"].trouble
    assert str(folder) not in cards["broken.safetensors"].trouble
    assert open_published(folder, "inner.safetensors").n_steps == cards["good.safetensors"].steps


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../secret.safetensors",
        "deep/down.safetensors",
        "..\\secret.safetensors",
        "good.safetensors\0.jsonl",
        "link.safetensors",
        "loop.jsonl",
        "pipe.jsonl",
        "folder.safetensors",
        ".hidden.safetensors",
        "notes.txt",
        "missing.safetensors",
        "x" * 5000 + ".jsonl",
        "/etc/passwd",
    ],
)
def test_what_is_not_published(folder, name):
    with pytest.raises(TraceFileError, match="no published trace"):
        published_file(folder, name)


def test_a_changed_file_is_read_again_and_a_folder_that_is_gone_is_empty(folder, tmp_path):
    copy = tmp_path / "a.safetensors"
    copy.write_bytes(b"junk")
    assert list_traces(tmp_path)[0].trouble
    copy.write_bytes((folder / "good.safetensors").read_bytes())
    assert not list_traces(tmp_path)[0].trouble
    assert list_traces(tmp_path / "gone") == []
