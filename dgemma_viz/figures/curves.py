"""Per-step curves of one canvas run: small multiples over one shared step axis."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from dgemma_viz.amounts import counted
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.figures.curve_panels import panels
from dgemma_viz.figures.frame import message_figure, no_steps
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.marks import PASS_MARKS
from dgemma_viz.figures.panel_rows import panel_rows
from dgemma_viz.figures.place import resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.model import CanvasRun, Trace
from dgemma_viz.trace.schema import ARRAYS

NAME = "curves"
_TITLE = "How the canvas came to rest"
_ABOVE = 1.1
"""Where the marks of sweeps and passes stand, as a share of the first panel's upper end."""


def curves(
    trace: Trace, canvas: int = 0, sample: int = 0, step: int | None = None, theme: str | Theme = "light"
) -> go.Figure:
    """Noise ratio, accepted and settled positions, entropy, temperature and stopping quantities over the steps.

    Parameters
    ----------
    trace
        What to draw.
    canvas, sample
        Which run of it, counted from 0.
    step
        Step at which to draw a marker line, or None; negative steps count from the end.
    theme
        ``"light"``, ``"dark"`` or a :class:`~dgemma_viz.figures.theme.Theme`.

    Returns
    -------
    go.Figure
        Data: one scatter per line of :func:`~dgemma_viz.figures.curve_panels.panels`, named after it, then one for the
        gaps of each line that has not-a-number values, then one per threshold, then one per kind of step other than
        denoising steps (``"corrector sweep"``, ``"editing pass"``) that occurs. Another step changes ``layout.shapes``
        only (:func:`~dgemma_viz.figures.markers.step_marker`). A click gives x = step.

    Raises
    ------
    SettingError, TraceError
        Unknown theme; step, canvas or sample that is not there.
    """
    look, run = theme_named(theme), resolve_run(trace, canvas, sample)
    if not run.n_steps:
        return message_figure(NAME, look, _TITLE, no_steps(run))
    if step is not None:
        step = resolve_step(run, step)
    shown = panels(run)
    figure = panel_rows(NAME, look, (_TITLE, _ending(run)), shown, run.n_steps)
    figure.add_traces([_passes(run, phase, shown[0].highest or 1.0, look) for phase in _other_passes(run)])
    return figure.update_layout(shapes=[] if step is None else [step_marker(step, look)])


def _other_passes(run: CanvasRun) -> list[int]:
    return [phase for phase in np.unique(run.trace.phase[run.steps]).tolist() if phase != Phase.DENOISE]


def _passes(run: CanvasRun, phase: int, top: float, look: Theme) -> go.Scatter:
    """Marks along the top of the first panel, at the steps of one kind; their words join the hover."""
    steps = np.flatnonzero(run.trace.phase[run.steps] == phase)
    mark = PASS_MARKS[phase]
    return go.Scatter(
        name=PHASES[phase],
        x=steps,
        y=np.full(len(steps), _ABOVE * top),
        xaxis="x",
        yaxis="y",
        mode="markers",
        marker={"symbol": mark.symbol, "size": 7, "color": look.third},
        hovertemplate=f"{mark.glyph} {PHASES[phase]} · {ARRAYS['phase'].provenance}<extra></extra>",
    )


def _ending(run: CanvasRun) -> str:
    limit = run.trace.facts.settings.get("max_denoising_steps")
    steps = f"{run.n_steps} of at most {limit} steps" if isinstance(limit, int) else counted(run.n_steps, "step")
    return f"{steps}; {_why_it_ended(run)}" + "".join(
        f"<br>{PASS_MARKS[phase].glyph} {PHASES[phase]}" for phase in _other_passes(run)
    )


_ENDS = {
    SamplerKind.MASKED: "ended with no mask left",
    SamplerKind.CAUSAL: "ended with its last token",
}


def _why_it_ended(run: CanvasRun) -> str:
    if run.array("finished")[-1]:
        return _ENDS.get(sampler_kind(run.trace), "ended by its own stop rule")
    return "ended by the step limit" if run.emitted is not None else "the run was cut off"
