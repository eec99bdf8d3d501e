"""Per-step curves of two runs of one canvas in the same panels, A and B told apart by colour, symbol and dash."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.comparison import TracePair, pair_of
from dgemma_viz.analysis.divergence import divergence_of
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.curve_panels import Line, Panel, every_panel
from dgemma_viz.figures.frame import message_figure
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.marks import A, B, RunStyle
from dgemma_viz.figures.panel_rows import panel_rows
from dgemma_viz.figures.place import whole_number
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    import plotly.graph_objects as go

NAME = "compared_curves"
_TITLE = "How both canvases came to rest"
_TITLES = {"positions": "settled positions", "entropy": "entropy and bound"}
_LEFT_OUT = ("accepted", "unmasked")
"""The noise ratio says the same."""


def compared_curves(
    trace_a: Trace,
    trace_b: Trace,
    canvas: int = 0,
    sample: int = 0,
    step: int | None = None,
    theme: str | Theme = "light",
) -> go.Figure:
    """Drafts that differ, noise ratio, settled positions, entropy, temperature and stable steps of both runs.

    Parameters
    ----------
    trace_a, trace_b
        Traces of one vocabulary.
    canvas, sample
        Which run of both, counted from 0; one trace may lack it.
    step
        Step at which to draw a marker line, or None.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data as of :func:`~dgemma_viz.figures.panel_rows.panel_rows`: ``"drafts that differ"`` first, then each line of
        :func:`~dgemma_viz.figures.curve_panels.every_panel` (accepted positions left out): ``"A: ..."``, ``"B: ..."``.
        A line marks the first difference. Another step changes the marker among ``layout.shapes`` only. A click gives
        x = step. A plain message where neither trace has steps there.

    Raises
    ------
    SettingError, TraceError
        Unknown theme, a step that neither run has, or traces that cannot be compared.
    """
    look, pair = theme_named(theme), pair_of(trace_a, trace_b)
    canvas, sample = whole_number("canvas", canvas), whole_number("sample", sample)
    n_steps = pair.n_steps(canvas, sample)
    if not n_steps:
        return message_figure(NAME, look, _TITLE, f"neither run has steps of sample {sample}<br>on canvas {canvas}")
    if step is not None and not 0 <= whole_number("step", step) < n_steps:
        raise SettingError(f"step {step} is in neither run: choose from 0 to {n_steps - 1}")
    first = divergence_of(pair, sample)
    here = first.step if first is not None and first.canvas == canvas else None
    heading = _TITLE, _subtitle(look, here)
    figure = panel_rows(NAME, look, heading, tuple(_panels(pair, canvas, sample)), n_steps, keys=False)
    shapes = [] if here is None else [step_marker(here, look) | _first_difference(look)]
    return figure.update_layout(shapes=shapes + ([] if step is None else [step_marker(step, look)]))


def _panels(pair: TracePair, canvas: int, sample: int) -> Iterator[Panel]:
    found = pair.differences(canvas, sample)
    fractions = found.draft_fractions if found.common and found.draft.size else np.empty(0)
    differing = Line("drafts that differ", fractions, "derived", "ink", "square")
    yield Panel("drafts that differ", "fraction of positions", (differing,), highest=1.0)
    run_a, run_b = pair.runs(canvas, sample)
    known = run_a or run_b
    if known is None:
        return
    for panel_a, panel_b in zip(_of(run_a, known), _of(run_b, known), strict=True):
        lines = (*_lines(panel_a, A), *_lines(panel_b, B))
        highest = max((panel.highest for panel in (panel_a, panel_b) if panel.highest is not None), default=None)
        title = _TITLES.get(panel_a.title, panel_a.title if panel_a.title == panel_b.title else "noise or mask ratio")
        yield replace(panel_a, title=title, lines=lines, thresholds=(), highest=highest)


def _of(run: CanvasRun | None, known: CanvasRun) -> tuple[Panel, ...]:
    """Panels of a run; those of the other one, emptied, where there is none."""
    if run is not None:
        return every_panel(run)
    return tuple(
        replace(panel, lines=tuple(replace(line, values=line.values[:0]) for line in panel.lines))
        for panel in every_panel(known)
    )


def _lines(panel: Panel, run: RunStyle) -> Iterator[Line]:
    for line in panel.lines:
        if line.name not in _LEFT_OUT:
            level = line.symbol is None
            symbol, dash = (None, "dot") if level else (run.symbol, run.dash)
            yield replace(line, name=f"{run.name}: {line.name}", colour=run.colour, symbol=symbol, dash=dash)


def _subtitle(look: Theme, first: int | None) -> str:
    keys = [
        f"<span style='color:{getattr(look, run.colour)}'>{run.glyph}</span> {run.name}, {run.line}" for run in (A, B)
    ]
    if first is not None:
        keys.append(f"<span style='color:{look.third}'>┃</span> first difference: step {first}")
    return "   ".join(keys)


def _first_difference(look: Theme) -> dict[str, object]:
    return {"name": "first difference", "line": {"color": look.third, "width": 2}}
