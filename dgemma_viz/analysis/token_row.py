"""Prompt and output of a sample as one row of tokens, each with its place and with the work that it took.

The output ends with the first end-of-sequence token, that included. A canvas that was not emitted is read as its last
step drafted it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.model import Trace

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
    work
        Its share of the decoder passes: float ``(L,)``. Each pass is divided evenly among the tokens of the output in
        its canvas, so they sum to 1; 0 in the prompt.
    prompt
        How many of the tokens are the prompt's.
    """

    ids: Array
    canvas: Array
    position: Array
    work: Array
    prompt: int

    @classmethod
    def of(cls, trace: Trace, sample: int) -> TokenRow:
        """Row of one sample: its prompt without padding, and its output up to the token that ends it."""
        prompt = trace.prompt[sample][trace.prompt_mask[sample]]
        passes = np.bincount(trace.canvas[trace.active[:, sample]], minlength=trace.n_canvases)
        parts: list[tuple[Array, ...]] = []
        total = 0
        for canvas in range(trace.n_canvases):
            final = _final(trace, canvas, sample)
            if final is None:
                continue
            positions = np.flatnonzero(_in_output(trace, canvas))
            ends = np.flatnonzero(np.isin(final[positions], trace.facts.eos_token_ids))
            positions = positions[: ends[0] + 1] if len(ends) else positions
            if len(positions):
                work = np.full(len(positions), passes[canvas] / len(positions))
                parts.append((final[positions], np.full(len(positions), canvas), positions, work))
                total += int(passes[canvas])
            if len(ends):
                break
        before = np.full(len(prompt), -1)
        rows = [(prompt, before, before, np.zeros(len(prompt))), *parts]
        ids, canvases, positions, work = (np.concatenate(column) for column in zip(*rows, strict=True))
        return cls(ids.astype(np.int64), canvases, positions, work / max(1, total), len(prompt))

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


def _final(trace: Trace, canvas: int, sample: int) -> Array | None:
    """Token ids ``(C,)`` that a canvas ended with; None where the sample had ended before, or no step ran."""
    length = int(trace.canvas_lengths[canvas])
    if canvas < len(trace.emitted):
        emitted: Array = trace.emitted[canvas, sample, :length]
        return None if trace.past_end[canvas, sample] else emitted
    steps = np.flatnonzero((trace.canvas == canvas) & trace.active[:, sample])
    return trace.draft[steps[-1], sample, :length] if len(steps) else None


def _in_output(trace: Trace, canvas: int) -> Array:
    """Positions that belong to the output: bool ``(C,)``."""
    places = trace.index(canvas) + np.arange(int(trace.canvas_lengths[canvas]))
    begin, end = trace.facts.output_span or (0, trace.index(trace.n_canvases))
    inside: Array = (places >= begin) & (places < end)
    return inside
