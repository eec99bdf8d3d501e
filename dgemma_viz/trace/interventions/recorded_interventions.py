"""The interventions that a trace says it was made with."""

from __future__ import annotations

from dgemma_viz.errors import SettingError, TraceError
from dgemma_viz.trace.interventions.intervention import Intervention, from_json
from dgemma_viz.trace.model import Trace


def recorded_interventions(trace: Trace) -> tuple[Intervention, ...]:
    """From ``facts.task.interventions``; empty for a run that was left alone.

    Raises
    ------
    TraceError
        What stands there cannot be read.
    """
    task = trace.facts.task
    told = task.more.get("interventions", task.interventions)
    try:
        return tuple(from_json(one) for one in told)
    except (SettingError, TypeError) as error:
        raise TraceError(f"this trace says that its run was intervened in, but not legibly: {error}") from error
