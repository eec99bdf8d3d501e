"""``dv.export_html``: a trace, or two compared, as one HTML file that opens from disk, without Python or a network."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dgemma_viz.analysis.comparison import TracePair, pair_of
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.export.page import page_html
from dgemma_viz.trace.as_trace import as_trace
from dgemma_viz.trace.inside import Inside
from dgemma_viz.trace.inside.as_insides import as_insides
from dgemma_viz.trace.model import Trace
from dgemma_viz.views import contents
from dgemma_viz.write_whole import write_whole

_A_PAIR = 2


def export_html(
    what: Any, path: str | os.PathLike[str], reference: Reference | None = None, *, inside: Any = ()
) -> Path:
    """Write what :func:`dgemma_viz.explore` or :func:`dgemma_viz.compare` shows to one self-contained HTML file.

    The file opens from disk in any current browser: play, step and scrub, hover for alternatives, click to pin, map,
    curves, inspector and findings. It asks for nothing from anywhere, and all token text in it is data. The trace's
    texts (prompts, outputs) can be read by everyone who gets the file.

    Parameters
    ----------
    what
        A trace, the path of a trace file, an explorer; or a comparison, or a pair of traces or paths.
    path
        File to write; one that is there is replaced.
    reference
        The right answer, for the diagnosis or the rows of errors; the trace's own if None.
    inside
        What :func:`dgemma_viz.inside` saw in steps of the trace, or files of it: the page shows it without a model.
        What an explorer was given or has computed goes with it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TraceError
        Something else was given, a file is not a readable trace, or two traces do not share a vocabulary; or an inside
        is not of a step of this trace.
    SettingError
        The file cannot be written there; the reference is not one, or its function failed; or an inside was given to a
        comparison.
    """
    target = check_target(path)
    shown = shown_traces(what)
    alone = isinstance(inside, Inside | str | os.PathLike) or not isinstance(inside, Iterable)
    given = [inside] if alone else [*inside]
    known = [*getattr(what, "insides", ()), *given]
    insides = as_insides(known, shown) if isinstance(shown, Trace) else known
    write_whole(target, page_html(contents(shown, reference, insides)))
    return target


def check_target(path: str | os.PathLike[str]) -> Path:
    """The file to write, before anything is made for it.

    Raises
    ------
    SettingError
        It is a folder, or in a folder that does not exist.
    """
    target = Path(path)
    if target.is_dir() or not target.parent.is_dir():
        problem = "is a folder" if target.is_dir() else "is in a folder that does not exist"
        raise SettingError(f"'{target}' {problem}; give the path of a file to write, e.g. run.html")
    return target


def shown_traces(what: Any) -> Trace | TracePair:
    """The trace, or the pair of traces, that somebody means by what they gave.

    Raises
    ------
    TraceError
        It is none, a file is not a readable trace, or the two do not share a vocabulary.
    """
    if isinstance(what, (tuple, list)) and len(what) == _A_PAIR:
        return pair_of(*what)
    if isinstance(what, TracePair):
        return what
    if isinstance(pair := getattr(what, "pair", None), TracePair):
        return pair
    return as_trace(what, "an export")
