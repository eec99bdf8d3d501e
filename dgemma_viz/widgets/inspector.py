"""The inspector: one position in full. Its numbers at the step, its alternatives now, its history over the steps."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import ipywidgets as widgets
import numpy as np

from dgemma_viz.analysis.acceptance import why
from dgemma_viz.analysis.positions import commit_steps, ever_accepted, flips, re_noised_again
from dgemma_viz.analysis.sampler_kind import SamplerKind, sampler_kind
from dgemma_viz.figures import alternatives, position_history
from dgemma_viz.figures.hover import PHASES
from dgemma_viz.figures.markers import step_marker
from dgemma_viz.figures.marks import UNRECORDED, decision_marks, outcome
from dgemma_viz.figures.theme import theme_named
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.trace.decision import Decision, Phase
from dgemma_viz.trace.schema import ARRAYS
from dgemma_viz.widgets.chart import Chart
from dgemma_viz.widgets.panels import close_tree, columns, panel

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        f"<tr><th scope='row'>{escape(name)}</th><td>{escape(value)}</td>"
        f"<td><span class='dgx-tag'>{source}</span></td></tr>"
        for name, value, source in _numbers(run, step, position)
    )
    title = f"Position {position} at step {step}"
    return f"<div class='dgx-inspector'><h3>{title}</h3><table class='dgx-numbers'>{rows}</table></div>"


def _hint() -> str:
    return f"<div class='dgx-inspector'><p class='dgx-empty'>{escape(HINT)}</p></div>"


def _numbers(run: CanvasRun, step: int, position: int) -> Iterator[tuple[str, str, str]]:
    absent, mask = run.trace.facts.absent, run.trace.facts.mask_token_id
    said = "accepted" not in absent

    def token(name: str) -> str:
        if name in absent:
            return UNRECORDED.label
        token_id = int(run.array(name)[step, position])
        return "mask" if token_id == mask else display_text(run.token_text(token_id))

    def number(name: str, unit: str = "") -> str:
        if name in absent:
            return UNRECORDED.label
        value = float(run.array(name)[step, position])
        return f"{value:.4g}{unit}" if np.isfinite(value) else "unknown"

    yield "read (noised)", token("noised"), ARRAYS["noised"].provenance
    yield "candidate", token("candidate"), ARRAYS["candidate"].provenance
    yield "candidate's probability", number("candidate_probability"), ARRAYS["candidate_probability"].provenance
    yield "draft", token("draft"), ARRAYS["draft"].provenance
    yield "confidence", number("confidence"), ARRAYS["confidence"].provenance
    yield "entropy", number("entropy", "\u00a0nats"), ARRAYS["entropy"].provenance
    yield "after the step", outcome(run, step, position).label, ARRAYS["accepted"].provenance
    if (phase := int(run.trace.phase[run.steps[step]])) != Phase.DENOISE:
        yield "kind of step", PHASES[phase], "measured"
    if sampler_kind(run.trace) is SamplerKind.ENTROPY_BOUND and said:
        yield "why", why(run, step, position), "derived"
    if said:
        yield "taken back now", "yes" if re_noised_again(run)[step, position] else "no", "derived"
    yield "flips up to here", str(int(flips(run)[: step + 1, position].sum())), "derived"
    yield "commit step", str(int(commit_steps(run)[position])), "derived"
    if run.emitted is not None:
        yield "emitted", display_text(run.token_text(run.emitted[position])), ARRAYS["emitted"].provenance
    if run.emitted is not None and said and "candidate" not in absent:
        words = decision_marks(run.trace)[Decision.ACCEPTED].label
        yield f"emitted token ever {words}", "yes" if ever_accepted(run)[position] else "no", "derived"
