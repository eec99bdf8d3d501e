"""Per-step curves of one canvas run: small multiples over one shared step axis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dgemma_viz.figures.curve_panels import panels
from dgemma_viz.figures.frame import message_figure, no_steps
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.panel_rows import panel_rows
from dgemma_viz.figures.place import resolve_run, resolve_step
from dgemma_viz.figures.theme import Theme, theme_named

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dgemma_viz.trace.model import CanvasRun, Trace

NAME = "curves"
_TITLE = "How the canvas came to rest"


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
        gaps of each line that has not-a-number values, then one per threshold. Another step changes ``layout.shapes``
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
    figure = panel_rows(NAME, look, (_TITLE, _ending(run)), panels(run), run.n_steps)
    return figure.update_layout(shapes=[] if step is None else [step_marker(step, look)])


def _ending(run: CanvasRun) -> str:
    limit = run.trace.facts.settings.get("max_denoising_steps")
    steps = f"{run.n_steps} of at most {limit} steps" if isinstance(limit, int) else f"{run.n_steps} steps"
    if run.array("finished")[-1]:
        masked = run.trace.facts.mask_token_id is not None
        return f"{steps}; ended {'with no mask left' if masked else 'by its own stop rule'}"
    return f"{steps}; ended by the step limit" if run.emitted is not None else f"{steps}; the run was cut off"
