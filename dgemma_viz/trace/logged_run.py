"""From the lines of a log to a trace: they must fit together, and what they do not say is marked as not recorded."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.amounts import counted
from dgemma_viz.errors import TraceError, TraceFileError
from dgemma_viz.trace.cut_emission import end_token, whole_canvas
from dgemma_viz.trace.decision import NO_DECISION
from dgemma_viz.trace.logged_layout import Layout, layout_of
from dgemma_viz.trace.logged_lines import SCALARS, TOKENS, EmittedLine, Header, StepLine
from dgemma_viz.trace.model import UNKNOWN_TOKEN, Trace
from dgemma_viz.trace.moved_tokens import KEEP_THEIR_MEANING, moved
from dgemma_viz.trace.partial_run import empty_arrays, trace_of_arrays
from dgemma_viz.trace.schema import OF_A_DECISION

Array = npt.NDArray[Any]

_OF_A_STEP = (*SCALARS, "phase")


def build_trace(head: Header, lines: list[StepLine], emitted: list[EmittedLine], room: int | None = None) -> Trace:
    """Trace of all lines; ``room`` bounds its values of one kind, what was not logged included.

    Raises
    ------
    TraceFileError
        Lines contradict each other, or one is missing.
    TraceError
        From the trace's own invariants.
    """
    layout = layout_of(lines, room)
    arrays = empty_arrays(layout.steps, layout.samples, layout.lengths, layout.top_k, layout.keys)
    filled = _fill(arrays, layout)
    arrays |= _emitted(head, layout, emitted)
    if "finished" not in layout.keys:
        _mark_finished(arrays, layout, head.facts.settings.get("max_denoising_steps"))
    _require_room_for_prompts(head.prompt, layout)
    if (mask := head.facts.mask_token_id) is not None and "noised" in layout.keys:
        _require_meaning(arrays, layout, mask, head.facts.pad_token_id)
    return trace_of_arrays(
        arrays,
        layout.keys,
        head.prompt,
        head.facts,
        head.token_texts,
        says_status=head.says_status,
        inactive_rows=not filled,
    )


def _fill(arrays: dict[str, Array], layout: Layout) -> bool:
    """Put every line in its place; whether samples were left that had no line to the end of a canvas."""
    starts, filled = np.concatenate([[0], np.cumsum(layout.steps)]), False
    others_decide = not layout.keys.isdisjoint(OF_A_DECISION)
    for canvas, count in enumerate(layout.steps):
        for sample in range(layout.samples):
            last: StepLine | None = None
            for step in range(count):
                here, line = int(starts[canvas]) + step, layout.lines.get((canvas, step, sample))
                if line is not None:
                    _put(arrays, here, sample, line, others_decide)
                    last = line
                    continue
                filled = True
                _repeat(arrays, here, sample, last, layout)
    return filled


def _put(arrays: dict[str, Array], step: int, sample: int, line: StepLine, others_decide: bool) -> None:
    values = dict(line.values)
    if not line.decided and others_decide:
        values["decision"] = np.full(values["draft"].shape, NO_DECISION)
    elif "decision" not in values and "accepted" in values:
        values["decision"] = values["accepted"]
    for name, value in values.items():
        if name not in _OF_A_STEP:
            row = (step, sample, slice(len(value))) if value.ndim else (step, sample)
            arrays[name][row] = value
        elif name in ("wall_time", "phase"):
            arrays[name][step] = np.fmax(arrays[name][step], value)
        elif np.isnan(arrays[name][step]):
            arrays[name][step] = value
        elif value != arrays[name][step] and not np.isnan(value):
            raise TraceFileError(
                f"line {line.number}: '{name}' is {float(value):.6g}, but {float(arrays[name][step]):.6g} for another "
                "sample in the same step"
            )
    if "active" not in line.values:
        arrays["active"][step, sample] = True


def _repeat(arrays: dict[str, Array], step: int, sample: int, last: StepLine | None, layout: Layout) -> None:
    """A step that a sample did not take: what it last held, or, in a canvas that it never began, token 0."""
    if last is not None:
        for name in {*last.values, "decision"} - {*_OF_A_STEP}:
            arrays[name][step, sample] = arrays[name][step - 1, sample]
    else:
        for name in layout.keys & {*TOKENS, "top_k_ids"}:
            arrays[name][step, sample, : arrays["length"][step]] = 0
    arrays["active"][step, sample] = False
    arrays["finished"][step, sample] = True


def _emitted(head: Header, layout: Layout, lines: list[EmittedLine]) -> dict[str, Array]:
    """Emitted tokens, and which samples had ended before each canvas."""
    canvases = max((line.place[0] + 1 for line in lines), default=0)
    if canvases > len(layout.steps):
        line = max(lines, key=lambda line: line.place)
        raise TraceFileError(f"line {line.number} emits canvas {line.place[0]}, of which no step is logged")
    by_place: dict[tuple[int, int], EmittedLine] = {}
    for line in lines:
        if line.place[1] >= layout.samples:
            raise TraceFileError(f"line {line.number} emits sample {line.place[1]}, of which no step is logged")
        if (before := by_place.setdefault(line.place, line)) is not line:
            raise TraceFileError(f"lines {before.number} and {line.number} emit the same canvas of the same sample")
    shape = (canvases, layout.samples)
    ids, past_end = np.full((*shape, layout.shape[2]), UNKNOWN_TOKEN, dtype=np.int32), np.zeros(shape, dtype=bool)
    ends = dict[int, int]()
    for canvas, sample in np.ndindex(shape):
        found, end = by_place.get((canvas, sample)), ends.get(sample)
        if found is None and end is None:
            raise TraceFileError(f"there is no emitted line of canvas {canvas}, sample {sample}")
        given = np.zeros(0, dtype=np.int32) if found is None else found.ids
        draft = _last_draft(layout, canvas, sample)
        try:
            whole = whole_canvas(given, layout.lengths[canvas], draft, end, head.facts)
        except TraceError as error:
            raise TraceFileError(f"{f'line {found.number}: ' if found else ''}{error}") from error
        ids[canvas, sample, : len(whole)] = whole
        past_end[canvas, sample] = end is not None if found is None or found.past_end is None else found.past_end
        if end is None and (found_end := end_token(whole, head.facts)) is not None:
            ends[sample] = found_end
    return {"emitted": ids, "past_end": past_end}


def _last_draft(layout: Layout, canvas: int, sample: int) -> Array | None:
    """Draft of the last line of a canvas of a sample, if there is one."""
    rows = layout.rows(canvas, sample)
    return layout.lines[canvas, rows - 1, sample].values["draft"] if rows else None


def _mark_finished(arrays: dict[str, Array], layout: Layout, limit: Any) -> None:
    """A sample finished in its last step, if it stopped before the limit and something of it came after."""
    start = 0
    for canvas, count in enumerate(layout.steps):
        for sample in range(layout.samples):
            rows = layout.rows(canvas, sample)
            at_limit = isinstance(limit, int) and rows >= limit
            goes_on = rows < count or canvas < len(arrays["emitted"])
            if rows and goes_on and not at_limit:
                arrays["finished"][start + rows - 1 : start + count, sample] = True
        start += count


def _require_meaning(arrays: dict[str, Array], layout: Layout, mask: int, pad: int | None) -> None:
    """Refuse canvases of a masked model into which tokens were inserted, or from which some were deleted."""
    first, emitted = 0, arrays["emitted"]
    for canvas, count in enumerate(layout.steps):
        for sample in range(layout.samples):
            rows = [*arrays["noised"][first : first + count, sample], *emitted[canvas : canvas + 1, sample]]
            for step, (before, after) in enumerate(pairwise(rows)):
                if seen := moved(rows[0], before, after, mask, pad):
                    raise TraceFileError(
                        f"canvas {canvas}, sample {sample}, after step {step}: {seen}; {KEEP_THEIR_MEANING}"
                    )
        first += count


def _require_room_for_prompts(prompts: list[list[int]], layout: Layout) -> None:
    """One for each sample, or none; a log cannot ask for far more padding than it has bytes."""
    samples, width = layout.samples, max(map(len, prompts), default=0)
    if prompts and len(prompts) != samples:
        raise TraceFileError(
            f"the header has {counted(len(prompts), 'prompt')}, but the log {counted(samples, 'sample')}"
        )
    if samples * width > layout.room:
        raise TraceFileError(
            f"{samples} prompts padded to {width} tokens are far more than the log holds; split it by request"
        )
