"""The trace: data model, schema, file format and table exports. numpy only."""

from dgemma_viz.trace.file import load_trace, save_trace
from dgemma_viz.trace.model import CanvasRun, RunFacts, Trace
from dgemma_viz.trace.schema import ARRAYS, SCHEMA_VERSION, ArraySpec

__all__ = ["ARRAYS", "SCHEMA_VERSION", "ArraySpec", "CanvasRun", "RunFacts", "Trace", "load_trace", "save_trace"]
