"""Prompt and output of a sample as one row of tokens, each with its place and with the work that it took.

The output ends with the first end-of-sequence token, that included. A canvas that was not emitted is read as its last
step drafted it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import open_flips

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]


class Stretch(NamedTuple):
    """Positions ``begin`` to ``end`` (exclusive) of one canvas."""

    canvas: int
    begin: int
    end: int


@dataclass(frozen=True, eq=False)
class TokenRow:
    """Prompt and output of a sample as one row of ``L`` tokens.

    Attributes
    ----------
    ids
        Token ids: int ``(L,)``.
    canvas, position
        Place of each: int ``(L,)``; -1 in the prompt.
    settled
        Decoder passes on its canvas until its draft had changed for the last time while it was open: int ``(L,)``; 0 in
        the prompt, and where no step ran.
    work
        Its share of the decoder passes: float ``(L,)``. Each pass is divided evenly among the tokens of the output in
        its canvas, so they sum to 1; 0 in the prompt.
    prompt
        How many of the tokens are the prompt's.
    """

    ids: Array
    canvas: Array
    position: Array
    settled: Array
    work: Array
    prompt: int

    @classmethod
    def of(cls, trace: Trace, sample: int) -> TokenRow:
        """Row of one sample: its prompt without padding, and its output up to the token that ends it."""
        prompt = trace.prompt[sample][trace.prompt_mask[sample]]
        parts: list[tuple[Array, ...]] = []
        passes = 0
        for canvas in range(trace.n_canvases):
            run = trace.canvas_run(canvas, sample)
            if run.past_end or (run.emitted is None and not run.n_steps):
                continue
            ids = run.array("draft")[-1] if run.emitted is None else run.emitted
            positions = np.flatnonzero(run.in_output)
            ends = np.flatnonzero(np.isin(ids[positions], trace.facts.eos_token_ids))
            positions = positions[: ends[0] + 1] if len(ends) else positions
            if len(positions):
                settled = _settled(run)[positions]
                work = np.full(len(positions), run.n_steps / len(positions))
                parts.append((ids[positions], np.full(len(positions), canvas), positions, settled, work))
                passes += run.n_steps
            if len(ends):
                break
        before = np.full(len(prompt), -1)
        rows = [(prompt, before, before, np.zeros(len(prompt), int), np.zeros(len(prompt))), *parts]
        ids, canvases, positions, settled, work = (np.concatenate(column) for column in zip(*rows, strict=True))
        return cls(ids.astype(np.int64), canvases, positions, settled, work / max(1, passes), len(prompt))

    def place(self, index: int) -> tuple[int, int] | None:
        """Canvas and position; None in the prompt."""
        return None if index < self.prompt else (int(self.canvas[index]), int(self.position[index]))

    def stretches(self, begin: int, end: int) -> Iterator[Stretch]:
        """Those of the tokens from ``begin`` to ``end`` (exclusive) that are output."""
        begin = max(begin, self.prompt)
        canvas, position = self.canvas[begin:end], self.position[begin:end]
        breaks = np.flatnonzero((np.diff(canvas) != 0) | (np.diff(position) != 1)) + 1
        for part in np.split(np.arange(len(canvas)), breaks):
            if len(part):
                first, last = part[0], part[-1]
                yield Stretch(int(canvas[first]), int(position[first]), int(position[last]) + 1)


def _settled(run: CanvasRun) -> Array:
    """Steps until the draft of a position had changed for the last time while it was open: int ``(C,)``."""
    changed = open_flips(run)
    if not len(changed):
        return np.zeros(run.canvas_length, dtype=int)
    last = len(changed) - 1 - changed[::-1].argmax(axis=0)
    return np.where(changed.any(axis=0), last, 0) + 1
