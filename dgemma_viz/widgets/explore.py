"""The two calls that show runs in a notebook: one trace, or two compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.trace.model import Trace
from dgemma_viz.widgets.viewer import VIEWS, Viewer

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from dgemma_viz.analysis.reference import Reference


def explore(
    trace: Trace | str | os.PathLike[str],
    reference: Reference | None = None,
    *,
    model: Any = None,
    tokenizer: Any = None,
    place: Mapping[str, Any] | None = None,
    views: str = "all",
) -> Viewer:
    """Explore a trace, or a trace file, with linked interactive views, and what a diagnosis finds in it.

    Parameters
    ----------
    trace
        Recorded run, or path of a trace file.
    reference
        The right answer, or a function of prompt and completion that returns whether it is right, or the right answer;
        the trace's own reference if None.
    model, tokenizer
        What the trace was recorded with. Then a panel beside the views changes something at the step that is shown,
        repeats the run, and compares the two; from code, :func:`dgemma_viz.intervene`.
    place
        Where to begin: any of ``canvas``, ``sample``, ``step``, ``position``, ``quantity``, ``shows``,
        ``token_layout``.
    views
        ``"all"``, or ``"canvas"``: the tokens alone, which the reader can unfold.

    Raises
    ------
    TraceError
        It is neither trace nor path, or the file cannot be read.
    SettingError
        The reference is not one, or its function failed; a model without its tokenizer; or there is no such place.
    """
    if (model is None) != (tokenizer is None):
        raise SettingError("explore() needs both model and tokenizer to repeat the run, or neither")
    opened = _opened(trace, "explore() shows a Trace or the path of a trace file")
    return Viewer(opened, reference, model=model, tokenizer=tokenizer, place=place, views=_known(views))


def compare(
    trace_a: Trace | str | os.PathLike[str],
    trace_b: Trace | str | os.PathLike[str],
    reference: Reference | None = None,
    *,
    place: Mapping[str, Any] | None = None,
    views: str = "all",
) -> Viewer:
    """Compare two traces, or trace files, in linked views: where the runs part, and what came of it.

    Parameters
    ----------
    trace_a, trace_b
        Recorded runs, or paths of trace files. They may differ in everything but the vocabulary: what cannot be
        compared is said.
    reference
        The right answer for both, or a function of prompt and completion that returns whether it is right, or the right
        answer; each trace's own reference if None.
    place, views
        As for :func:`explore`.

    Raises
    ------
    TraceError
        Something else was given, a file is not a readable trace, or the traces do not share a vocabulary.
    SettingError
        The reference is not one, or its function failed; or there is no such place.
    """
    taken = "compare() shows two Traces or paths of trace files"
    pair = pair_of(_opened(trace_a, taken), _opened(trace_b, taken))
    return Viewer(pair, reference, place=place, views=_known(views))


def _known(views: str) -> str:
    if views not in VIEWS:
        raise SettingError(f"there are no views '{views}'; choose from {', '.join(VIEWS)}")
    return views


def _opened(trace: Any, taken: str) -> Trace:
    if isinstance(trace, Trace):
        return trace
    if isinstance(trace, str) or hasattr(trace, "__fspath__"):
        from dgemma_viz.trace import load_trace

        return load_trace(trace)
    recorded = getattr(trace, "trace", None)
    hint = "; give it its '.trace'" if isinstance(recorded, Trace) else ""
    raise TraceError(
        f"{taken}, not a {type(trace).__name__}{hint}. Record one with dv.record(model, tokenizer), or open one with "
        "dv.load_trace(path)"
    )
