"""Per-step quantities of one canvas run, and per-run totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import commit_steps

if TYPE_CHECKING:
    from dgemma_viz.trace.model import CanvasRun, Trace

Array = npt.NDArray[Any]


def noise_ratios(run: CanvasRun) -> Array:
    """Fraction of positions re-noised after each step (mask ratio for mask-token models): float ``(T,)``."""
    ratios: Array = 1.0 - run.array("accepted").mean(axis=1)
    return ratios


def accepted_counts(run: CanvasRun) -> Array:
    """Positions accepted in each step: int ``(T,)``."""
    counts: Array = run.array("accepted").sum(axis=1)
    return counts


def settled_counts(run: CanvasRun) -> Array:
    """Positions whose draft already equals the last draft and stays so, at each step: int ``(T,)``."""
    commits = commit_steps(run)
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
    """Emitted tokens that are not padding / decoder passes of that sample; NaN where nothing was emitted.

    The end-of-sequence token counts, as in transformers; passes are those of :func:`decoder_passes`.
    """
    if not (passes := decoder_passes(trace, sample)):
        return float("nan")
    ids = trace.emitted[:, sample].reshape(-1)[slice(*trace.output_span)]
    tokens = ids.size if trace.facts.pad_token_id is None else int((ids != trace.facts.pad_token_id).sum())
    return tokens / passes
