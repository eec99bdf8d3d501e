"""One server of published traces for all tests that look at it from outside: `dgemma-viz serve --traces DIR`."""

from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import pytest

from dgemma_viz.cli import main
from dgemma_viz.trace import save_trace
from tests.browser import serve_dashboards
from tests.synthetic import NASTY_TEXTS, synthetic_trace

HOSTILE = "<img src=x onerror=alert(1)>\u202e\x1b[31m#?&%2f.safetensors"
"""The name of a published file, whose tokens are hostile, too."""


@dataclass(frozen=True)
class Served:
    """A server, its address, and the folder that it publishes."""

    address: str
    process: Popen[bytes]
    folder: Path


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    assert main(["record", "--task", "sudoku", "-o", str(folder / "recorded.safetensors")]) == 0
    save_trace(synthetic_trace(canvases=3, samples=2, steps=6), folder / "run.safetensors")
    save_trace(synthetic_trace(canvases=2, texts=NASTY_TEXTS), folder / HOSTILE)
    (folder / "vanishing.safetensors").write_bytes((folder / "recorded.safetensors").read_bytes())
    (folder / "broken.safetensors").write_bytes(b"junk")
    (folder / "private.txt").write_text("hush-hush")
    (folder / "out.jsonl").symlink_to("/etc/passwd")
    options = ("--traces", str(folder), "--base-url", "/dgemma/", "--no-forked-kernels")
    with serve_dashboards(*options) as (address, process):
        yield Served(address, process, folder)


@pytest.fixture
def address(served):
    return served.address


@pytest.fixture
def folder(served):
    return served.folder
