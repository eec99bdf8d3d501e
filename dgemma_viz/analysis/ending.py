"""When the canvas thinks that the answer ends: probability of end-of-sequence tokens, and the length drafted so far.

Masked diffusion models are overconfident about the end (arXiv 2605.28181): end tokens settle first, and the text has to
fit before them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.analysis.restraints import clamped
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def end_mass(run: CanvasRun) -> Array:
    """Probability of end-of-sequence tokens among the recorded alternatives: float ``(T, C)``; a lower bound."""
    ends = np.isin(run.array("top_k_ids"), run.trace.facts.eos_token_ids)
    mass: Array = (run.array("top_k_probabilities").astype(float) * ends).sum(axis=-1)
    return mass


def drafted_lengths(run: CanvasRun) -> Array:
    """Tokens before the first end-of-sequence token of each step's draft: int ``(T,)``; all of them without one."""
    ends = np.isin(run.array("draft"), run.trace.facts.eos_token_ids)
    return np.where(ends.any(axis=1), ends.argmax(axis=1), run.canvas_length)


def end_overconfidence(run: CanvasRun) -> float:
    """End mass that the first step put on positions which hold text in the end, in positions; NaN without steps.

    0 where the first look already knew where the text goes; each unit is one token of text that it took for the end.
    """
    if not run.n_steps:
        return float("nan")
    final = run.array("draft")[-1] if run.emitted is None else run.emitted
    text = answer_positions(run) & ~np.isin(final, run.trace.facts.eos_token_ids)
    return float(end_mass(run)[0, text & ~clamped(run)[0]].sum())
