"""How the lines of a log lie on a trace's axes; they must leave no gap and agree in what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.logged_lines import StepLine
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING
from dgemma_viz.trace.schema import OF_A_DECISION, RULED_OUT

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
    lengths: list[int]
    """Positions of each canvas."""
    top_k: int
    keys: set[str]
    """Keys of all lines together."""
    lines: dict[tuple[int, int, int], StepLine]
    room: int
    """Values of one kind that the log may fill."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Steps, samples, positions."""
        return sum(self.steps), self.samples, max(self.lengths)

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
    first_of: dict[int, StepLine] = {}
    by_place: dict[tuple[int, int, int], StepLine] = {}
    for line in lines:
        before = by_place.setdefault(line.place, line)
        if before is not line:
            raise TraceFileError(f"lines {before.number} and {line.number} are both {_place_text(line.place)}")
        _same_shape(lines[0], first_of.setdefault(line.place[0], line), line)
    keys = _same_keys(lines)
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
    layout = Layout(
        steps,
        len(samples),
        [len(first_of[canvas].values["draft"]) for canvas in range(len(canvases))],
        lines[0].values["top_k_ids"].shape[-1] if "top_k_ids" in keys else 1,
        keys,
        by_place,
        MOST_CELLS if room is None else room,
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


def _same_keys(lines: list[StepLine]) -> set[str]:
    """Keys that the lines have; each has all of them, but for a step that made no decision."""
    holder: dict[str, StepLine] = {}
    for line in lines:
        for name in line.values:
            holder.setdefault(name, line)
    keys = holder.keys() - {"active"}
    sometimes = {*RULED_OUT}
    may_lack = {*OF_A_DECISION, "temperature", "entropy_bound"} if keys & {*OF_A_DECISION} else set()
    for line in lines:
        lacking = keys - line.values.keys() - sometimes - (may_lack if not line.decided else set())
        if not lacking:
            continue
        name = min(lacking)
        text = f"line {line.number} lacks '{name}', which line {holder[name].number} has: log it always or never"
        if name in OF_A_DECISION:
            others = ", ".join(f"'{other}'" for other in OF_A_DECISION if other in line.values)
            text += f" (a step that made no decision leaves out {others}, too)"
        raise TraceFileError(text)
    return set(keys)


def _same_shape(first: StepLine, first_of_canvas: StepLine, line: StepLine) -> None:
    """The positions of a canvas are the same in all its lines, the number of alternatives in all lines."""
    length, before = len(line.values["draft"]), len(first_of_canvas.values["draft"])
    if length != before:
        raise TraceFileError(
            f"line {line.number}: 'draft' has {counted(length, 'position')}, but {before} in line "
            f"{first_of_canvas.number} of the same canvas: {KEEP_THEIR_MEANING}"
        )
    kept, before = (one.values["top_k_ids"].shape[-1] if "top_k_ids" in one.values else 0 for one in (line, first))
    if kept and before and kept != before:
        raise TraceFileError(
            f"line {line.number}: 'top_k_ids' has {kept} alternatives, but {before} in line {first.number}"
        )


def _place_text(place: tuple[int, int, int]) -> str:
    canvas, step, sample = place
    return f"canvas {canvas}, step {step}, sample {sample}"
