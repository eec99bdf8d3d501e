"""Whatever takes a trace takes a trace file or a recording as well, and says what it wants of anything else."""

import pytest

import dgemma_viz as dv
from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.figures import heatmap
from tests.synthetic import synthetic_trace

TRACE = synthetic_trace(length=6, steps=3)
TAKERS = {
    "diagnose": dv.diagnose,
    "check_conformance": dv.check_conformance,
    "explore": dv.explore,
    "compare": lambda what: dv.compare(TRACE, what),
    "pair_of": lambda what: pair_of(what, TRACE),
    "a figure": heatmap,
    "a set of runs": lambda what: RunSet.of([what]),
}


class Recording:
    trace = TRACE


@pytest.mark.parametrize("taker", TAKERS)
def test_a_file_and_what_holds_a_trace_are_taken_for_it(taker, tmp_path):
    path = tmp_path / "run.safetensors"
    TRACE.save(path)
    for what in (path, str(path), Recording()):
        assert TAKERS[taker](what) is not None
    for wrong in (None, 3, object()):
        with pytest.raises(TraceError, match=r"takes a Trace.*not a \w+\. Record one"):
            TAKERS[taker](wrong)
    with pytest.raises((TraceFileError, OSError), match="nowhere"):
        TAKERS[taker](tmp_path / "nowhere.safetensors")


def test_exports_take_them_too(tmp_path):
    page = dv.export_html((Recording(), TRACE), tmp_path / "two.html")
    assert page.stat().st_size
    with pytest.raises(TraceError, match="an export takes a Trace"):
        dv.export_html({}, tmp_path / "x.html")
