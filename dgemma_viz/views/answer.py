"""The whole answer of a run: the prompt, every canvas as text, and what each of them took.

Texts are as the output has them; ``static/answer.js`` makes visible what a reader could not see.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.plain_text import to_bytes

if TYPE_CHECKING:
    from dgemma_viz.trace.model import Trace

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
    """For each sample its prompt, and of each canvas the text, how many tokens fill it up, and if it is final."""
    return {"samples": [_of_sample(trace, sample) for sample in range(trace.n_samples)]}


def _of_sample(trace: Trace, sample: int) -> dict[str, Any]:
    facts, decoder = trace.facts, getincrementaldecoder("utf-8")("replace")
    filling = {*facts.eos_token_ids, *([] if facts.pad_token_id is None else [facts.pad_token_id])}
    canvases = []
    for canvas in range(trace.n_canvases):
        run = trace.canvas_run(canvas, sample)
        last = run.array("draft")[-1] if run.n_steps else np.zeros(0, int)
        ids = (last if run.emitted is None else run.emitted)[: len(run.in_output)]
        ids = ids[run.in_output[: len(ids)]].tolist() if run.n_steps else []
        end = len(ids)
        while end and ids[end - 1] in filling:
            end -= 1
        # A character may be split over two canvases: it stands where it is whole.
        text = decoder.decode(b"".join(map(to_bytes, trace.token_texts_of(np.array(ids[:end], int)))))
        canvases.append({"text": text, "filled": len(ids) - end, "final": run.emitted is not None})
    return {"prompt": trace.prompt_text(sample), "canvases": canvases}
