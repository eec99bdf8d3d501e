"""Tokens of one denoising step that a reader marks: each is a button, and pressed is marked.

The browser gets what the reader of that step saw (texts of the draft, and its confidence if that is asked for). What
the sampler accepted goes there with :meth:`TokenMarks.tell`, not before: a page's source gives nothing away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import anywidget
import numpy as np
import traitlets as t

from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.errors import SettingError
from dgemma_viz.figures.token_text import display_text
from dgemma_viz.range_check import checked_range
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.views.charts import SCALES
from dgemma_viz.views.modules import joined_module, style_sheets
from dgemma_viz.widgets import STATIC
from dgemma_viz.widgets.reader_choices import heed_choices


class Score(NamedTuple):
    """Marked positions held against those that the sampler accepted, each in rising order."""

    hits: tuple[int, ...]
    missed: tuple[int, ...]
    wrong: tuple[int, ...]


class TokenMarks(anywidget.AnyWidget):  # type: ignore[misc]
    """The draft of one step, to be marked.

    Parameters
    ----------
    run
        The canvas, from :meth:`dgemma_viz.trace.model.Trace.canvas_run`.
    step
        Denoising step within the canvas, counted from 0.
    positions
        Which can be marked; None: all that belong to the output.
    confidence
        Whether each token has the shade of its confidence.
    row
        How many tokens stand in a row; 0: as many as fit.

    Attributes
    ----------
    marked
        Positions that the reader has marked, in rising order; set it to mark.
    accepted
        Those that the sampler accepted, once they are told.

    Raises
    ------
    SettingError
        The canvas has no such step or position; the step made no decision; or confidence is asked for and was not
        recorded.
    """

    _esm = joined_module("token_marks.js", STATIC)
    _css = style_sheets("token_canvas.css") + style_sheets("token_marks.css", folder=STATIC)

    title = t.Unicode().tag(sync=True)
    tokens = t.List().tag(sync=True)
    scales = t.Dict().tag(sync=True)
    marked = t.List().tag(sync=True)
    accepted = t.List().tag(sync=True)
    answered = t.Bool(False).tag(sync=True)
    row = t.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        run: CanvasRun,
        step: int,
        *,
        positions: Sequence[int] | None = None,
        confidence: bool = False,
        row: int = 0,
    ) -> None:
        self.run, self.step = run, _checked_step(run, step)
        self.positions = _checked_positions(run, positions)
        if confidence and "confidence" in run.trace.facts.absent:
            raise SettingError("the confidence of this run was not recorded: it cannot be shown")
        drafts = run.trace.token_texts_of(run.array("draft")[step, list(self.positions)])
        shares = free_values(run, "confidence")[step] if confidence else np.full(run.canvas_length, np.nan)
        super().__init__(
            title=f"Draft of step {step}: mark tokens",
            row=checked_range("tokens in a row", row, 0, whole=True),
            tokens=[
                {"position": position, "text": display_text(text), "share": _or_none(shares[position])}
                for position, text in zip(self.positions, drafts, strict=True)
            ],
            scales={look: by_quantity["confidence"] for look, by_quantity in SCALES.items()},
        )
        heed_choices(self, "marked")

    @property
    def right(self) -> tuple[int, ...]:
        """Positions that the sampler accepted at the step, of those that can be marked."""
        accepted = self.run.array("accepted")[self.step]
        return tuple(position for position in self.positions if accepted[position])

    def score(self, marked: Sequence[int]) -> Score:
        """What a choice of positions is worth."""
        right, chosen = set(self.right), set(marked)
        return Score(*(tuple(sorted(part)) for part in (chosen & right, right - chosen, chosen - right)))

    def tell(self) -> None:
        """Show on the page what the sampler accepted."""
        with self.hold_sync():
            self.accepted = list(self.right)
            self.answered = True

    @t.validate("marked")  # type: ignore[untyped-decorator]
    def _that_are_there(self, proposal: t.Bunch) -> list[int]:
        given = {place for place in proposal["value"] if isinstance(place, int)}
        return [position for position in self.positions if position in given]


def _checked_step(run: CanvasRun, step: Any) -> int:
    steps = f"it has {run.n_steps}, counted from 0"
    if not isinstance(step, int) or not 0 <= step < run.n_steps:
        raise SettingError(f"canvas {run.canvas} of this trace has no step {step!r}; {steps}")
    if not run.decided[step]:
        raise SettingError(f"step {step} of canvas {run.canvas} made no decision: there is nothing to accept")
    return step


def _checked_positions(run: CanvasRun, positions: Sequence[int] | None) -> tuple[int, ...]:
    chosen = np.flatnonzero(run.in_output).tolist() if positions is None else sorted({*positions})
    if not chosen:
        raise SettingError("there are no positions to mark")
    for position in chosen:
        if not isinstance(position, int | np.integer) or not 0 <= position < run.canvas_length:
            there = f"it has {run.canvas_length}, counted from 0"
            raise SettingError(f"canvas {run.canvas} of this trace has no position {position!r}; {there}")
    return tuple(map(int, chosen))


def _or_none(share: float) -> float | None:
    return None if np.isnan(share) else round(float(share), 3)
