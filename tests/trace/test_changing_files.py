"""A file that somebody cuts short or writes anew while it is read: a trace, or an error of ours, never a crash.

A mapped file that loses its end kills the process that looks there (SIGBUS), and no handler can say why.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from dgemma_viz.trace import load_trace, save_json_lines, save_trace
from tests.synthetic import synthetic_trace

READER = """
import sys
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace import load_trace

for _ in range(200):
    try:
        print(load_trace(sys.argv[1]).n_steps)
    except TraceFileError as error:
        assert sys.argv[1] in str(error) and len(str(error)) < 1000, error
"""


@pytest.mark.parametrize("save", [save_trace, save_json_lines])
def test_a_file_that_changes_while_it_is_read(tmp_path, save):
    path = tmp_path / "run"
    contents = []
    for steps in (2, 3):
        save(synthetic_trace(length=64, steps=[[steps]]), path)
        contents.append(path.read_bytes())
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as reader:
        while reader.poll() is None:
            for content in contents:
                os.truncate(path, 100)
                path.write_bytes(content)
        said, complaint = reader.communicate()
    assert reader.returncode == 0, complaint or f"signal {-reader.returncode}"
    assert set(said.split()) <= {"2", "3"}


def test_a_trace_outlives_its_file(tmp_path):
    path = tmp_path / "run.safetensors"
    saved = synthetic_trace(length=4096, steps=[[9]])
    saved.save(path)
    trace = load_trace(path)
    os.truncate(path, 0)
    np.testing.assert_array_equal(trace.top_k_ids, saved.top_k_ids)
