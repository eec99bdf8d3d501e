"""One position of two runs at one step: its numbers side by side, and the alternatives of each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets

from dgemma_viz.figures import alternatives
from dgemma_viz.figures.run_pair import A, B
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.comparison_head import glyph_html
from dgemma_viz.widgets.panels import close_tree, columns, panel
from dgemma_viz.widgets.position_rows import rows_of, text_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dgemma_viz.trace.model import CanvasRun

HINT = "Click a token in either canvas, or a cell of the map, to compare the runs there."
NOTHING = "–"
"""Stands for a row that only the other run has."""


class ComparedPosition(widgets.VBox):  # type: ignore[misc]
    """A table of both runs' numbers and a chart of alternatives each, or a hint."""

    def __init__(self) -> None:
        self._text = widgets.HTML(_hint(), layout=widgets.Layout(width="100%", min_width="0"))
        self._charts: list[Chart] = []
        self._open = widgets.GridBox()
        super().__init__([self._text], layout=widgets.Layout(width="100%", min_width="0"))

    def close(self) -> None:
        """Close the text and the charts."""
        for chart in self._charts:
            chart.close()
        close_tree(self, closing=super().close)

    def show(self, runs: Sequence[CanvasRun | None], step: int, position: int, theme: str) -> None:
        """Show a position of both runs, or the hint where none is chosen or a run does not have it.

        ``step`` may lie beyond the end of a run: it then shows its last one.
        """
        there = [run for run in runs if run is not None and run.n_steps and 0 <= position < run.canvas_length]
        if len(there) < len(runs):
            self._text.value = _hint()
            self.children = [self._text]
            return
        steps = [min(step, run.n_steps - 1) for run in there]
        figures = []
        for style, run, at in zip((A, B), there, steps, strict=True):
            figure = alternatives(run.trace, run.canvas, run.sample, step=at, position=position, theme=theme)
            title = f"{style.glyph} {style.name}: alternatives at step {at}"
            figures.append(figure.update_layout(title={"text": title}))
        if self._charts:
            for chart, figure in zip(self._charts, figures, strict=True):
                chart.show(figure)
        else:
            self._charts = [Chart(figure) for figure in figures]
            self._open = columns(self._text, *map(panel, self._charts), narrowest="340px")
        self._text.value = numbers_html(there, steps, position)
        if self._open not in self.children:
            self.children = [self._open]


def numbers_html(runs: Sequence[CanvasRun], steps: Sequence[int], position: int) -> str:
    """Table of a position's numbers in both runs, each row labelled measured or derived, those that differ marked."""
    a, b = (_texts(run, step, position) for run, step in zip(runs, steps, strict=True))
    sources = {"at step": "measured"} | {row.name: row.source for run in runs for row in rows_of(run)}
    rows = "".join(_row_html(name, a.get(name, NOTHING), b.get(name, NOTHING), sources[name]) for name in sources)
    heads = "".join(f"<th scope='col'>{glyph_html(run)} {run.name}</th>" for run in (A, B))
    head = f"<thead><tr><th scope='col'>≠ differs</th>{heads}<td></td></tr></thead>"
    return f"<div class='dgc'><table><caption>Position {position}</caption>{head}<tbody>{rows}</tbody></table></div>"


def _texts(run: CanvasRun, step: int, position: int) -> dict[str, str]:
    return {"at step": str(step)} | {row.name: text_of(row, run, step, position) for row in rows_of(run)}


def _row_html(name: str, a: str, b: str, source: str) -> str:
    return (
        f"<tr class='{'dgc-changed' if a != b else ''}'><th scope='row'>{escape(name)}</th><td>{escape(a)}</td>"
        f"<td>{escape(b)}</td><td><span class='dgx-tag'>{source}</span></td></tr>"
    )


def _hint() -> str:
    return f"<div class='dgx-inspector'><p class='dgx-empty'>{escape(HINT)}</p></div>"
