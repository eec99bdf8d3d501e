"""The inspector: one position in full. Its numbers at the step, its alternatives now, its history over the steps."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets

from dgemma_viz.figures import alternatives, position_history
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import close_tree, columns, panel
from dgemma_viz.widgets.position_rows import row_term, rows_of, text_of

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from dgemma_viz.trace.model import CanvasRun, Trace
    from dgemma_viz.widgets.selection import Selection

    _Past = tuple[Trace, int, int, int, str]
    """What a history shows: trace, canvas, sample, position, theme. Another step moves its marker only."""

HINT = "Click a token to inspect it: its alternatives, its history and its numbers."


class Inspector(widgets.VBox):  # type: ignore[misc]
    """Numbers and two charts for the selected position, or a hint."""

    def __init__(self) -> None:
        self._text = widgets.HTML(_hint(), layout=widgets.Layout(width="100%", min_width="0"))
        self._alternatives: Chart | None = None
        self._history: Chart | None = None
        self._past: _Past | None = None
        self._open = widgets.GridBox()
        super().__init__([self._text], layout=widgets.Layout(width="100%", min_width="0"))

    def close(self) -> None:
        """Close the text and the charts."""
        for chart in (self._alternatives, self._history):
            if chart is not None:
                chart.close()
        close_tree(self, closing=super().close)

    def show(self, run: CanvasRun, selection: Selection, theme: str) -> None:
        """Show the selected position of a run, or the hint."""
        if selection.position < 0 or not run.n_steps:
            self._text.value = _hint()
            self.children = [self._text]
            return
        place = (run.trace, run.canvas, run.sample)
        now = alternatives(*place, step=selection.step, position=selection.position, theme=theme)
        past = (*place, selection.position, theme)
        if self._alternatives is None or self._history is None:
            self._alternatives, self._history = Chart(now), Chart(_history(past, selection.step))
            self._open = columns(self._text, panel(self._alternatives), panel(self._history), narrowest="340px")
        else:
            if past == self._past:
                self._history.mark([step_marker(selection.step, theme_named(theme))])
            else:
                self._history.show(_history(past, selection.step))
            self._alternatives.show(now)
        self._past = past
        self._text.value = numbers_html(run, selection.step, selection.position)
        if self._open not in self.children:
            self.children = [self._open]


def _history(past: _Past, step: int) -> go.Figure:
    trace, canvas, sample, position, theme = past
    return position_history(trace, canvas, sample, position=position, step=step, theme=theme)


def numbers_html(run: CanvasRun, step: int, position: int) -> str:
    """Table of one position's numbers at one step, each labelled measured or derived."""
    rows = "".join(
        f"<tr><th scope='row'>{row_term(row.name)}</th>"
        f"<td>{escape(text_of(row, run, step, position))}</td>"
        f"<td><span class='dgx-tag'>{row.source}</span></td></tr>"
        for row in rows_of(run)
    )
    title = f"Position {position} at step {step}"
    table = f"<table class='dgx-numbers' aria-label='{title}'>{rows}</table>"
    return f"<div class='dgx-inspector'><h3>{title}</h3>{table}</div>"


def _hint() -> str:
    return f"<div class='dgx-inspector'><p class='dgx-empty'>{escape(HINT)}</p></div>"
