"""The trace that somebody means by what they gave: the one reading of it, for every function that takes a trace."""

from __future__ import annotations

import os
from typing import Any

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import Trace

TraceLike = Trace | str | os.PathLike[str] | Any
"""A trace, the path of a trace file, or something that holds a trace as its ``trace``: a recording, a viewer."""


def as_trace(what: TraceLike, taker: str = "this") -> Trace:
    """The trace itself.

    Parameters
    ----------
    what
        See :data:`TraceLike`.
    taker
        Who takes it, for the error, e.g. ``"diagnose()"``.

    Raises
    ------
    TraceError
        It is none of these, the file is not a readable trace, or a recording holds no run yet.
    """
    if isinstance(what, Trace):
        return what
    if isinstance(what, str | os.PathLike):
        from dgemma_viz.trace.file import load_trace

        return load_trace(what)
    held = getattr(what, "trace", None)
    if isinstance(held, Trace):
        return held
    raise TraceError(
        f"{taker} takes a Trace, the path of a trace file, or what holds a trace as its '.trace', not a "
        f"{type(what).__name__}. Record one with dv.record(model, tokenizer), or open one with dv.load_trace(path)"
    )
