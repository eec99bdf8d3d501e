"""A run that repairs itself: a step accepts two cells of a grid that clash, and later ones accept what is right there.

Positions of one step are drawn without knowing of each other, so two cells of a row may get the same number and both be
accepted. The next step reads them, and a sampler that selects anew can take one back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.run import run
from dgemma_viz.tiny.tasks import task_of
from dgemma_viz.tiny.tasks.grid import OpenGrid
from dgemma_viz.trace import Trace
from dgemma_viz.trace.model import CanvasRun


@dataclass(frozen=True, eq=False)
class Repair:
    """Two cells that a step accepted though they clash, in a run that accepted the right numbers at another step.

    Attributes
    ----------
    trace
        The run.
    step
        The first step that accepted such cells.
    cells
        Their positions in the canvas.
    """

    trace: Trace
    step: int
    cells: tuple[int, int]

    @cached_property
    def run(self) -> CanvasRun:
        """The canvas."""
        return self.trace.canvas_run()

    @property
    def number(self) -> str:
        """What the step accepted in both cells."""
        return self.run.token_text(self.run.array("candidate")[self.step, self.cells[0]])

    @property
    def ends(self) -> tuple[str, ...]:
        """What was emitted in each."""
        return tuple(self.trace.token_texts_of(self._emitted[list(self.cells)]))

    @property
    def moved(self) -> tuple[int, ...]:
        """Those of the cells that did not end with the number."""
        return tuple(cell for cell, end in zip(self.cells, self.ends, strict=True) if end != self.number)

    def first_accepted_right(self, cell: int) -> int | None:
        """The first step that accepted, in a cell, what was emitted there; None: no step did."""
        right = self.run.array("accepted")[:, cell] & (self.run.array("candidate")[:, cell] == self._emitted[cell])
        return int(right.argmax()) if right.any() else None

    def in_words(self) -> str:
        """What became of both cells."""
        drafted = commit_steps(self.run)
        parts = []
        for cell, end in zip(self.cells, self.ends, strict=True):
            against = f", so that the {self.number} was drawn against the draft"
            drawn = against if cell in self.moved and drafted[cell] <= self.step else ""
            parts.append(f"position {cell} ends as {end}, which is its draft from step {drafted[cell]} on{drawn}")
        return f"{'; '.join(parts)}.".capitalize()

    @property
    def _emitted(self) -> Any:
        """Ids of the canvas in the end; such a run was never cut off."""
        return self.run.emitted


def first_repair(model: Any, tokenizer: Any, prompt: str, seeds: Iterable[int]) -> Repair:
    """The first of some seeds whose run repairs itself.

    Parameters
    ----------
    model, tokenizer
        As for :func:`~dgemma_viz.labs.run.run`.
    prompt
        Of an open grid.
    seeds
        Tried in order; a run each, until one is found.

    Raises
    ------
    PromptError
        The prompt is of no task.
    SettingError
        It is not for an open grid, or none of the runs repairs itself.
    """
    grid = task_of(prompt)
    if not isinstance(grid, OpenGrid):
        raise SettingError(f"{prompt!r} is no prompt for an open grid")
    for seed in seeds:
        trace = run(model, tokenizer, prompt, seed=seed)
        if not grid.check(prompt, trace.output_text()):
            continue
        for step in range(trace.canvas_run().n_steps):
            if clashing := grid.clashes(_accepted(trace.canvas_run(), step, grid.row)):
                found = Repair(trace, step, clashing[0])
                if all(found.first_accepted_right(cell) is not None for cell in found.cells):
                    return found
                break
    raise SettingError(
        "none of these seeds gives a run that accepts cells that clash and still ends right; try more seeds"
    )


def _accepted(run: CanvasRun, step: int, row: int) -> str:
    """The grid as a step accepts it, rows with / between them, _ for every cell without an accepted number."""
    texts = run.trace.token_texts_of(run.array("candidate")[step])
    accepted, numbers = run.array("accepted")[step], {str(number) for number in range(1, row)}
    cells = [texts[place] if accepted[place] and texts[place] in numbers else "_" for place in range(row * (row - 1))]
    return "/".join("".join(cells[start : start + row - 1]) for start in range(0, len(cells), row))
