"""How the lines of a log lie on a trace's axes; they must leave no gap and agree in what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dgemma_viz.errors import TraceFileError

if TYPE_CHECKING:
    from dgemma_viz.trace.logged_lines import StepLine

MOST_CELLS = 2**26
"""Steps x samples x positions x alternatives: 680 canvases of the released model, 48 steps each, 8 alternatives."""
SMALL = 2**16
"""Cells that any log may have; beyond, as many as the log has bytes, so that no small file makes a large trace."""


@dataclass(frozen=True)
class Layout:
    """Sizes of the trace, and the line of each place (canvas, step, sample)."""

    steps: list[int]
    """Steps of each canvas, over its slowest sample."""
    samples: int
    length: int
    top_k: int
    lines: dict[tuple[int, int, int], StepLine]
    room: int
    """Values of one kind that the log may fill."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Steps, samples, positions."""
        return sum(self.steps), self.samples, self.length

    def rows(self, canvas: int, sample: int) -> int:
        """Lines of one sample of one canvas."""
        return sum((canvas, step, sample) in self.lines for step in range(self.steps[canvas]))


def layout_of(lines: list[StepLine], room: int | None = None) -> Layout:
    """Find the place of every line.

    What was not logged (steps of samples that had finished, padding of prompts) takes room in a trace all the same:
    ``room`` bounds the values of one kind.

    Raises
    ------
    TraceFileError
        A line is missing, is there twice, or differs from the others in its keys or sizes.
    """
    if not lines:
        raise TraceFileError("there is no line of a denoising step")
    first = lines[0]
    by_place: dict[tuple[int, int, int], StepLine] = {}
    for line in lines:
        before = by_place.setdefault(line.place, line)
        if before is not line:
            raise TraceFileError(f"lines {before.number} and {line.number} are both {_place_text(line.place)}")
        _same_keys(first, line)
    canvases, samples = ({place[axis] for place in by_place} for axis in (0, 2))
    for what, found in (("canvas", canvases), ("sample", samples)):
        if found != set(range(len(found))):
            missing = next(number for number in range(len(found)) if number not in found)
            raise TraceFileError(f"there is no line of {what} {missing}, but one of {what} {max(found)}")
    steps = [0] * len(canvases)
    for canvas, step, sample in by_place:
        if step and (canvas, step - 1, sample) not in by_place:
            raise TraceFileError(
                f"there is no line of {_place_text((canvas, step - 1, sample))}, but of the step after"
            )
        steps[canvas] = max(steps[canvas], step + 1)
    if late := [sample for sample in samples if (0, 0, sample) not in by_place]:
        raise TraceFileError(f"there is no line of {_place_text((0, 0, late[0]))}: every sample begins there")
    top_k = first.values["top_k_ids"].shape[-1] if "top_k_ids" in first.values else 1
    layout = Layout(
        steps, len(samples), len(first.values["draft"]), top_k, by_place, MOST_CELLS if room is None else room
    )
    _require_room(layout)
    return layout


def _require_room(layout: Layout) -> None:
    steps, samples, length = layout.shape
    cells = steps * samples * length * layout.top_k
    if cells > MOST_CELLS:
        raise TraceFileError(f"the run has more than {MOST_CELLS:,} values of one kind; split the log by request")
    if cells > layout.room:
        raise TraceFileError(f"{steps} steps of {samples} samples are far more than the log holds; split it by request")


def _same_keys(first: StepLine, line: StepLine) -> None:
    here, there = set(line.values) - {"active"}, set(first.values) - {"active"}
    if different := sorted(here ^ there):
        name = different[0]
        has, lacks = (line, first) if name in here else (first, line)
        raise TraceFileError(f"line {lacks.number} lacks '{name}', which line {has.number} has: log it always or never")
    for name in ("draft", "top_k_ids"):
        if name in here and line.values[name].shape != first.values[name].shape:
            raise TraceFileError(
                f"line {line.number}: '{name}' has shape {line.values[name].shape}, but "
                f"{first.values[name].shape} in line {first.number}"
            )


def _place_text(place: tuple[int, int, int]) -> str:
    canvas, step, sample = place
    return f"canvas {canvas}, step {step}, sample {sample}"
