"""Charts over many runs: how answers go wrong, how well confidence is calibrated, and how early the answer is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import ipywidgets as ipw

from dgemma_viz import figures
from dgemma_viz.analysis.accuracy_by import accuracy_by
from dgemma_viz.analysis.calibration import calibration_per_step
from dgemma_viz.analysis.early_answers import early_answers
from dgemma_viz.analysis.emitted_tokens import emitted_tokens
from dgemma_viz.analysis.failure_kinds import error_spread
from dgemma_viz.analysis.judged_drafts import pooled_drafts
from dgemma_viz.analysis.reliability import reliability_table
from dgemma_viz.analysis.run_set import RunSet
from dgemma_viz.errors import SettingError
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import columns, panel

if TYPE_CHECKING:
    import plotly.graph_objects as go

    Draw = Callable[[str], go.Figure]


def _spread(runs: RunSet) -> Draw:
    table = error_spread(runs)
    return lambda theme: figures.error_spread(table, theme=theme)


def _early(runs: RunSet) -> Draw:
    table = early_answers(runs)
    return lambda theme: figures.answer_curves(table, theme=theme)


def _reliability(runs: RunSet) -> Draw:
    table = reliability_table(pooled_drafts(runs))
    return lambda theme: figures.reliability_diagram(table, theme=theme)


def _per_step(runs: RunSet) -> Draw:
    table = calibration_per_step(pooled_drafts(runs))
    return lambda theme: figures.calibration_curves(table, theme=theme)


def _by_commit_step(runs: RunSet) -> Draw:
    table = accuracy_by(emitted_tokens(runs), "commit_step")
    return lambda theme: figures.accuracy_curve(table, theme=theme)


def _by_entropy(runs: RunSet) -> Draw:
    table = accuracy_by(emitted_tokens(runs), "entropy_at_commit")
    return lambda theme: figures.accuracy_curve(table, theme=theme)


CHARTS = {
    "error spread": _spread,
    "early answers": _early,
    "reliability": _reliability,
    "calibration per step": _per_step,
    "accuracy by commit step": _by_commit_step,
    "accuracy by entropy": _by_entropy,
}
"""What can be shown, by name."""


class RunSetCharts(ipw.VBox):  # type: ignore[misc]
    """Some charts of :data:`CHARTS`, side by side where there is room.

    Parameters
    ----------
    runs
        Judged runs; see :class:`dgemma_viz.analysis.run_set.RunSet`.
    names
        Which charts; all if None.

    Raises
    ------
    SettingError
        There is no chart of that name.
    """

    def __init__(self, runs: RunSet, names: Sequence[str] | None = None) -> None:
        if unknown := [name for name in names or () if name not in CHARTS]:
            raise SettingError(f"there is no chart {unknown}; choose from {list(CHARTS)}")
        shown = [panel(Chart(CHARTS[name](runs))) for name in names or CHARTS]
        super().__init__([columns(*shown)], layout=ipw.Layout(width="100%", min_width="0"))
