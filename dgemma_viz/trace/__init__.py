"""The trace: data model, schema, file formats and table exports. numpy only."""

from dgemma_viz.trace.decision import Decision, Phase
from dgemma_viz.trace.file import load_trace, load_traces, save_trace
from dgemma_viz.trace.json_lines import load_json_lines, save_json_lines
from dgemma_viz.trace.model import CanvasRun, RunFacts, Trace
from dgemma_viz.trace.notice import Notice, NoticeCode
from dgemma_viz.trace.schema import ARRAYS, SCHEMA_VERSION, ArraySpec
from dgemma_viz.trace.task import RunTask

__all__ = [
    "ARRAYS",
    "SCHEMA_VERSION",
    "ArraySpec",
    "CanvasRun",
    "Decision",
    "Notice",
    "NoticeCode",
    "Phase",
    "RunFacts",
    "RunTask",
    "Trace",
    "load_json_lines",
    "load_trace",
    "load_traces",
    "save_json_lines",
    "save_trace",
]
