"""What was changed on purpose in one of two compared runs, in words: a cause that no trace array shows."""

from __future__ import annotations

from dgemma_viz.analysis.comparison import TracePair
from dgemma_viz.analysis.divergence import Divergence
from dgemma_viz.errors import TraceError
from dgemma_viz.figures.run_pair import A, B
from dgemma_viz.trace.interventions import Intervention, recorded_interventions
from dgemma_viz.trace.model import Trace


def purposes(pair: TracePair) -> dict[str, list[str]]:
    """Name of a run to the interventions that the other run did not have. Token text is NOT escaped."""
    found = _of_one(pair)
    return {
        run.name: [one.describe(trace.token_texts) for one in found[run.name]]
        for run, trace in zip((A, B), pair.traces, strict=True)
    }


def explained(pair: TracePair, first: Divergence) -> str:
    """Why the runs part, where an intervention did it; empty where none did."""
    changed = [name for name, all_ in _of_one(pair).items() if any(one.holds(first.canvas, first.step) for one in all_)]
    return f"Run {' and run '.join(changed)} was changed here on purpose." if changed else ""


def _of_one(pair: TracePair) -> dict[str, list[Intervention]]:
    a, b = (_recorded(trace) for trace in pair.traces)
    return {A.name: [one for one in a if one not in b], B.name: [one for one in b if one not in a]}


def _recorded(trace: Trace) -> tuple[Intervention, ...]:
    try:
        return recorded_interventions(trace)
    except TraceError:  # a damaged file; the comparison is of use all the same
        return ()
