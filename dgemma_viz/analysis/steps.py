"""Per-step quantities of one canvas run, and per-run totals."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import commit_steps
from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]


def noise_ratios(run: CanvasRun) -> Array:
    """Fraction of positions re-noised after each step (mask ratio for mask-token models): float ``(T,)``.

    Of the positions that belong to the output; NaN for a canvas that has none, and in a step that made no decision.
    """
    positions = int(run.in_output.sum())
    if not positions:
        return np.full(run.n_steps, np.nan)
    ratios: Array = 1.0 - accepted_counts(run) / positions
    return ratios


def accepted_counts(run: CanvasRun) -> Array:
    """Positions of the output that are accepted in each step: float ``(T,)``; NaN in a step that made no decision."""
    counts: Array = run.array("accepted")[:, run.in_output].sum(axis=1)
    return np.where(run.decided, counts, np.nan)


def settled_counts(run: CanvasRun) -> Array:
    """Positions of the output whose draft is already the last one, for good, at each step: int ``(T,)``."""
    commits = commit_steps(run)[run.in_output]
    return np.array([(commits <= t).sum() for t in range(run.n_steps)], dtype=int)


def decoder_passes(trace: Trace, sample: int = 0) -> int:
    """Decoder passes that a sample's output took, corrector sweeps and editing passes included.

    Counted as in transformers' ``DiffusionGemmaGenerationMixin._compute_tokens_per_forward``: steps after the sample's
    canvas had finished do not count, and neither do those of canvases that were not emitted.
    """
    in_output = trace.canvas < len(trace.emitted)
    still_running = ~trace.past_end[trace.canvas[in_output], sample]
    return int((trace.active[in_output, sample] & still_running).sum())


def tokens_per_forward(trace: Trace, sample: int = 0) -> float:
    """:func:`output_tokens` / decoder passes of that sample; NaN where nothing was emitted.

    Passes are those of :func:`decoder_passes`.
    """
    if not (passes := decoder_passes(trace, sample)):
        return float("nan")
    return output_tokens(trace, sample) / passes


def output_tokens(trace: Trace, sample: int = 0) -> int:
    """Tokens of the output and its end, without padding: alike for all samplers and runtimes.

    For ``generate()`` it is what transformers counts. diffusers' pipeline and others do not pad: what they leave behind
    the first end-of-sequence token, most of a canvas, is no output.
    """
    ids = trace.emitted_ids(sample)[slice(*trace.output_span)][: len(trace.output_ids(sample)) + 1]
    return ids.size if trace.facts.pad_token_id is None else int((ids != trace.facts.pad_token_id).sum())
