"""One position of two runs at one step: its numbers side by side, and the alternatives of each."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.figures import alternatives
from dgemma_viz.figures.marks import outcome
from dgemma_viz.figures.run_pair import A, B
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.comparison_head import glyph_html
from dgemma_viz.widgets.panels import close_tree, columns, panel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dgemma_viz.trace.model import CanvasRun

HINT = "Click a token in either canvas, or a cell of the map, to compare the runs there."
_UNRECORDED = "not recorded"
_TOKENS = {"noised": "read (noised)", "candidate": "candidate", "draft": "draft"}
_NUMBERS = {"candidate_probability": "candidate's probability", "confidence": "confidence", "entropy": "entropy, nats"}


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
    of_both = [_numbers(run, step, position) for run, step in zip(runs, steps, strict=True)]
    rows = "".join(
        f"<tr class='{'dgc-changed' if a != b else ''}'><th scope='row'>{escape(name)}</th><td>{escape(a)}</td>"
        f"<td>{escape(b)}</td><td><span class='dgx-tag'>{source}</span></td></tr>"
        for (name, a, source), (_, b, _) in zip(*of_both, strict=True)
    )
    heads = "".join(f"<th scope='col'>{glyph_html(run)} {run.name}</th>" for run in (A, B))
    head = f"<thead><tr><th scope='col'>≠ differs</th>{heads}<th></th></tr></thead>"
    return f"<div class='dgc'><table><caption>Position {position}</caption>{head}<tbody>{rows}</tbody></table></div>"


def _hint() -> str:
    return f"<div class='dgx-inspector'><p class='dgx-empty'>{escape(HINT)}</p></div>"


def _numbers(run: CanvasRun, step: int, position: int) -> Iterator[tuple[str, str, str]]:
    absent = run.trace.facts.absent
    yield "at step", str(step), "measured"
    for name, words in _TOKENS.items():
        text = display_text(run.token_text(run.array(name)[step, position]))
        yield words, _UNRECORDED if name in absent else text, ARRAYS[name].provenance
    for name, words in _NUMBERS.items():
        value = float(run.array(name)[step, position])
        number = f"{value:.4g}" if np.isfinite(value) else "not a number"
        yield words, _UNRECORDED if name in absent else number, ARRAYS[name].provenance
    yield "after the step", outcome(run, step, position).label, ARRAYS["accepted"].provenance
    yield "commit step", str(int(commit_steps(run)[position])), "derived"
    emitted = "nothing" if run.emitted is None else display_text(run.token_text(run.emitted[position]))
    yield "emitted", emitted, ARRAYS["emitted"].provenance
