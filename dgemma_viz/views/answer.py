"""The whole answer of a run: the prompt, every canvas as text, and what each of them took.

Texts are as the output has them; ``static/answer.js`` makes visible what a reader could not see.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.chat import ChatPart, chat_structure
from dgemma_viz.analysis.token_row import Stretch
from dgemma_viz.plain_text import to_bytes
from dgemma_viz.trace.model import CanvasRun, Trace

if TYPE_CHECKING:
    Array = npt.NDArray[Any]

LONG = 60
"""Tokens: a longer output is read as text, and not token by token."""


def layout_of(trace: Trace) -> str:
    """How the tokens of a run are laid out unless somebody chooses: see :data:`dgemma_viz.views.charts.LAYOUTS`.

    An output with line ends, or of more than :data:`LONG` tokens, reads as text; so does a canvas that long which was
    never finished.
    """
    outputs = [trace.output_ids(sample) for sample in range(trace.n_samples)] if len(trace.emitted) else []
    long = max(map(len, outputs), default=trace.canvas_length) > LONG
    return "reading" if long or any("\n" in text for ids in outputs for text in trace.token_texts_of(ids)) else "grid"


def steps_taken(trace: Trace) -> list[list[int]]:
    """Steps of each sample on each canvas, ``[sample][canvas]``."""
    return [np.bincount(trace.canvas[on], minlength=trace.n_canvases).tolist() for on in trace.active.T]


def answer_json(trace: Trace) -> dict[str, Any]:
    """For each sample its prompt and its canvases.

    Of each canvas its ``parts`` (text, and for a channel its name and tokens), how many tokens fill it up behind the
    end of the answer, and whether it is final.
    """
    return {"samples": [_of_sample(trace, sample) for sample in range(trace.n_samples)]}


def _of_sample(trace: Trace, sample: int) -> dict[str, Any]:
    decoder, channels = getincrementaldecoder("utf-8")("replace"), chat_structure(trace, sample).channels
    folds = [
        (channel, stretch)
        for channel in channels
        if channel.outer and not channel.spoken
        for stretch in channel.stretches
    ]
    canvases = []
    for canvas in range(trace.n_canvases):
        run = trace.canvas_run(canvas, sample)
        ids, begin = _written(run)
        end = len(ids)
        while end > begin and ids[end - 1] in trace.facts.filling_ids:
            end -= 1
        parts: list[dict[str, Any]] = []
        for channel, first, last in _cut(begin, end, [fold for fold in folds if fold[1].canvas == canvas]):
            # A character may be split over two parts: it stands where it is whole.
            text = decoder.decode(b"".join(map(to_bytes, trace.token_texts_of(ids[first:last]))))
            named = {} if channel is None else {"channel": channel.name or "channel", "tokens": last - first}
            parts.append({"text": text, **named})
        canvases.append({"parts": parts, "filled": len(ids) - end, "final": run.emitted is not None})
    return {"prompt": trace.prompt_text(sample), "canvases": canvases}


def _written(run: CanvasRun) -> tuple[Array, int]:
    """The tokens of a canvas up to the end of the output, as far as they came, and where the output begins in it."""
    inside = np.flatnonzero(run.in_output)
    if not run.n_steps or not len(inside):
        return np.zeros(0, int), 0
    ids = run.array("draft")[-1] if run.emitted is None else run.emitted
    return ids[: inside[-1] + 1], int(inside[0])


def _cut(begin: int, end: int, folds: list[tuple[ChatPart, Stretch]]) -> Iterator[tuple[ChatPart | None, int, int]]:
    """Positions from ``begin`` to ``end``, cut at the channels, which do not overlap."""
    at = begin
    for channel, stretch in sorted(folds, key=lambda fold: fold[1].begin):
        first, last = max(at, stretch.begin), min(end, stretch.end)
        if first < last:
            if at < first:
                yield None, at, first
            yield channel, first, last
            at = last
    if at < end:
        yield None, at, end
