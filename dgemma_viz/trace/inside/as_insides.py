"""The insides that somebody means by what they gave, held against the trace that they are to stand beside."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from dgemma_viz.errors import TraceError
from dgemma_viz.trace.inside.facts import DIVERGED, OF_THE_RUN
from dgemma_viz.trace.inside.file import load_inside
from dgemma_viz.trace.inside.model import Inside
from dgemma_viz.trace.model import Trace


def as_insides(given: Any, trace: Trace) -> list[Inside]:
    """Insides of steps of a trace, each step once: what is given last counts.

    Parameters
    ----------
    given
        An inside, the path of a file of one, or several of either.
    trace
        What they look into.

    Raises
    ------
    TraceError
        Something else was given, a file is not an inside, or one is not of a step of this trace.
    """
    alone = isinstance(given, Inside | str | os.PathLike) or not isinstance(given, Iterable)
    found = {place_of_inside(one): one for one in (_one(one, trace) for one in ([given] if alone else given))}
    return [found[place] for place in sorted(found)]


def place_of_inside(inside: Inside) -> tuple[int, int, int]:
    """Canvas, sample and step that it is of; only of one that belongs to a run."""
    facts = inside.facts
    assert facts.canvas is not None  # noqa: S101 - told by as_insides()
    assert facts.step is not None  # noqa: S101 - as well
    return facts.canvas, facts.sample, facts.step


def _one(given: Any, trace: Trace) -> Inside:
    inside = load_inside(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(inside, Inside):
        raise TraceError(
            f"the inside of a step is an Inside or the path of its file, not a {type(inside).__name__}. "
            "dv.inside(model, tokenizer, trace, canvas, step) gives one"
        )
    facts = inside.facts
    if facts.canvas is None or facts.step is None:
        raise TraceError("this inside is of one pass by itself, so no step of the trace can show it")
    where = f"canvas {facts.canvas}, step {facts.step}, sample {facts.sample}"
    if facts.canvas >= trace.n_canvases or facts.sample >= trace.n_samples:
        raise TraceError(f"this inside is of {where}, which the trace does not have")
    run = trace.canvas_run(facts.canvas, facts.sample)
    if facts.step >= run.n_steps or inside.n_positions != run.canvas_length:
        raise TraceError(f"this inside is of {where}, {inside.n_positions} positions, which the trace does not have")
    # One that diverged was kept on purpose, and the page says so: it may have read another canvas.
    same_run = dict(facts.trace) == {name: getattr(trace.facts, name) for name in OF_THE_RUN}
    if not (inside.belongs_to(trace) or (same_run and facts.agreement == DIVERGED)):
        raise TraceError(f"this inside is of another run: its {where} is not that of the trace")
    return inside
