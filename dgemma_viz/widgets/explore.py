"""The two calls that show runs in a notebook: one trace, or two compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.as_trace import TraceLike, as_trace
from dgemma_viz.trace.inside.as_insides import as_insides
from dgemma_viz.widgets.viewer import VIEWS, Viewer


def explore(  # noqa: PLR0913 - each is a choice of its own
    trace: TraceLike,
    reference: Reference | None = None,
    *,
    model: Any = None,
    tokenizer: Any = None,
    inside: Any = (),
    place: Mapping[str, Any] | None = None,
    views: str = "all",
    row: int = 0,
) -> Viewer:
    """Explore a trace, or a trace file, with linked interactive views, and what a diagnosis finds in it.

    Parameters
    ----------
    trace
        Recorded run, the path of a trace file, or what holds a trace, such as a recording.
    reference
        The right answer, or a function of prompt and completion that returns whether it is right, or the right answer;
        the trace's own reference if None.
    model, tokenizer
        What the trace was recorded with. Then a panel beside the views changes something at the step that is shown,
        repeats the run, and compares the two; from code, :func:`dgemma_viz.labs.interventions.intervene`. Another one
        looks inside the step that is shown.
    inside
        What :func:`dgemma_viz.inside` saw in steps of this trace, or files of it, one or several: shown at these steps,
        without a model.
    place
        Where to begin: any of ``canvas``, ``sample``, ``step``, ``position``, ``quantity``, ``shows``,
        ``token_layout``.
    views
        ``"all"``, or ``"canvas"``: the tokens alone, which the reader can unfold.
    row
        How many tokens stand in a row where they are laid out as a grid, such as those of one line of the answer; 0 for
        as many as fit.

    Raises
    ------
    TraceError
        Something else was given, or the file cannot be read; or an inside is not of a step of this trace.
    SettingError
        The reference is not one, or its function failed; a model without its tokenizer; or there is no such place.
    """
    if (model is None) != (tokenizer is None):
        raise SettingError("explore() needs both model and tokenizer to repeat the run, or neither")
    rows = checked_range("tokens in a row", row, 0, whole=True)
    shown = as_trace(trace, "explore()")
    return Viewer(
        shown,
        reference,
        model=model,
        tokenizer=tokenizer,
        insides=as_insides(inside, shown),
        place=place,
        views=_known(views),
        row=rows,
    )


def compare(
    trace_a: TraceLike,
    trace_b: TraceLike,
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
    return Viewer(pair_of(trace_a, trace_b), reference, place=place, views=_known(views))


def _known(views: str) -> str:
    if views not in VIEWS:
        raise SettingError(f"there are no views '{views}'; choose from {', '.join(VIEWS)}")
    return views
