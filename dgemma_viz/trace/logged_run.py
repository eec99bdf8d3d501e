"""From the lines of a log to a trace: they must fit together, and what they do not say is marked as not recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.errors import TraceFileError
from dgemma_viz.trace.derive import entropy_spent, mean_entropy, stable_steps
from dgemma_viz.trace.logged_layout import Layout, layout_of
from dgemma_viz.trace.logged_lines import OPTIONAL, SCALARS, TOKENS
from dgemma_viz.trace.model import INACTIVE_ROWS, UNKNOWN_TOKEN, Trace
from dgemma_viz.trace.schema import ARRAYS, TOKEN_ARRAYS

if TYPE_CHECKING:
    from dgemma_viz.trace.logged_lines import EmittedLine, Header, StepLine

Array = npt.NDArray[Any]

_OF_A_STEP = (*SCALARS, "phase")

_DERIVED_FROM = {"entropy_spent": ("entropy", "accepted"), "mean_entropy": ("entropy",)}


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
    absent = {name for name in OPTIONAL if name not in lines[0].values}
    arrays = _empty(layout)
    filled = _fill(arrays, layout)
    if "decision" not in lines[0].values:
        del arrays["decision"]
    arrays |= _emitted(head, layout, emitted)
    if "finished" in absent:
        _mark_finished(arrays, layout, head.facts.settings.get("max_denoising_steps"))
    arrays |= _derived(arrays, layout)
    arrays |= _prompt(head, layout)
    for name, sources in _DERIVED_FROM.items():
        if absent & set(sources):
            arrays[name] = np.full_like(arrays[name], np.nan)
            absent.add(name)
    if filled:
        absent.add(INACTIVE_ROWS)
    status = "complete" if len(arrays["emitted"]) == len(layout.steps) else "interrupted"
    facts = replace(
        head.facts,
        absent=tuple(name for name in (*ARRAYS, INACTIVE_ROWS) if name in absent),
        status=head.facts.status if head.says_status else status,
    )
    return Trace(**arrays, facts=facts, token_texts=head.token_texts)


def _empty(layout: Layout) -> dict[str, Array]:
    """Arrays of the steps that say nothing yet."""
    steps, samples, length = layout.shape
    sizes = {"S": steps, "B": samples, "C": length, "K": layout.top_k}
    arrays = {}
    for name, spec in ARRAYS.items():
        if not spec.axes.startswith("S"):
            continue
        nothing = UNKNOWN_TOKEN if name in TOKEN_ARRAYS else np.nan if spec.dtype.startswith("float") else 0
        arrays[name] = np.full([sizes[axis] for axis in spec.axes], nothing, dtype=spec.dtype)
    arrays["canvas"] = np.repeat(np.arange(len(layout.steps)), layout.steps)
    arrays["step_in_canvas"] = np.concatenate([np.arange(count) for count in layout.steps])
    return arrays


def _fill(arrays: dict[str, Array], layout: Layout) -> bool:
    """Put every line in its place; whether samples were left that had no line to the end of a canvas."""
    starts, filled = np.concatenate([[0], np.cumsum(layout.steps)]), False
    logged = set(layout.lines[0, 0, 0].values)
    for canvas, count in enumerate(layout.steps):
        for sample in range(layout.samples):
            last: StepLine | None = None
            for step in range(count):
                here, line = int(starts[canvas]) + step, layout.lines.get((canvas, step, sample))
                if line is not None:
                    _put(arrays, here, sample, line)
                    last = line
                    continue
                filled = True
                _repeat(arrays, here, sample, last, logged)
    return filled


def _put(arrays: dict[str, Array], step: int, sample: int, line: StepLine) -> None:
    for name, value in line.values.items():
        if name not in _OF_A_STEP:
            arrays[name][step, sample] = value
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


def _repeat(arrays: dict[str, Array], step: int, sample: int, last: StepLine | None, logged: set[str]) -> None:
    """A step that a sample did not take: what it last held, or, in a canvas that it never began, token 0."""
    if last is not None:
        for name in last.values.keys() - {*_OF_A_STEP}:
            arrays[name][step, sample] = last.values[name]
    else:
        for name in logged & {*TOKENS, "top_k_ids"}:
            arrays[name][step, sample] = 0
    arrays["active"][step, sample] = False
    arrays["finished"][step, sample] = True


def _emitted(head: Header, layout: Layout, lines: list[EmittedLine]) -> dict[str, Array]:
    """Emitted tokens, and which samples had ended before each canvas."""
    eos, pad = head.facts.eos_token_ids, head.facts.pad_token_id
    canvases = max((line.place[0] + 1 for line in lines), default=0)
    if canvases > len(layout.steps):
        line = max(lines, key=lambda line: line.place)
        raise TraceFileError(f"line {line.number} emits canvas {line.place[0]}, of which no step is logged")
    shape = (canvases, layout.samples)
    ids, past_end = np.zeros((*shape, layout.length), dtype=np.int32), np.zeros(shape, dtype=bool)
    by_place: dict[tuple[int, int], EmittedLine] = {}
    for line in lines:
        if line.place[1] >= layout.samples:
            raise TraceFileError(f"line {line.number} emits sample {line.place[1]}, of which no step is logged")
        if len(line.ids) != layout.length:
            raise TraceFileError(
                f"line {line.number}: 'emitted' has {len(line.ids)} tokens, but a canvas has {layout.length}: "
                "pad what was cut off after the end of the sequence"
            )
        if (before := by_place.setdefault(line.place, line)) is not line:
            raise TraceFileError(f"lines {before.number} and {line.number} emit the same canvas of the same sample")
    for place, line in by_place.items():
        ids[place] = line.ids
    logged = np.zeros(shape, dtype=bool)
    logged[tuple(np.array(list(by_place), dtype=int).reshape(-1, 2).T)] = True
    ends = logged & np.isin(ids, eos).any(axis=-1)
    ended = np.zeros_like(ends)
    ended[1:] = np.logical_or.accumulate(ends[:-1], axis=0)
    for place in np.ndindex(shape):
        found = by_place.get(place)
        if found is not None:
            past_end[place] = ended[place] if found.past_end is None else found.past_end
        elif ended[place] and pad is not None:
            ids[place], past_end[place] = pad, True
        else:
            raise TraceFileError(f"there is no emitted line of canvas {place[0]}, sample {place[1]}")
    return {"emitted": ids, "past_end": past_end}


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


def _derived(arrays: dict[str, Array], layout: Layout) -> dict[str, Array]:
    ends = np.cumsum(layout.steps)[:-1]
    return {
        "entropy_spent": entropy_spent(arrays["entropy"], arrays["accepted"]),
        "mean_entropy": mean_entropy(arrays["entropy"]),
        "stable_steps": np.concatenate([stable_steps(drafts) for drafts in np.split(arrays["draft"], ends)]),
    }


def _prompt(head: Header, layout: Layout) -> dict[str, Array]:
    """Prompts, left-padded as ``generate()`` takes them; none if the log has none."""
    samples = layout.samples
    prompts = head.prompt or [[] for _ in range(samples)]
    if len(prompts) != samples:
        raise TraceFileError(f"the header has {len(prompts)} prompts, but {samples} samples are logged")
    width = max(map(len, prompts))
    if samples * width > layout.room:
        raise TraceFileError(
            f"{samples} prompts padded to {width} tokens are far more than the log holds; split it by request"
        )
    pad, size = head.facts.pad_token_id or 0, head.facts.vocab_size
    ids = np.full((samples, width), pad if 0 <= pad < (size or pad + 1) else 0, dtype=np.int32)
    mask = np.zeros((samples, width), dtype=bool)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = prompt
        mask[row, width - len(prompt) :] = True
    return {"prompt": ids, "prompt_mask": mask}
