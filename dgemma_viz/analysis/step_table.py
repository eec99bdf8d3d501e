"""Everything about the steps of one canvas run in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.acceptance import spent_before
from dgemma_viz.analysis.drift import kl_to_previous
from dgemma_viz.analysis.positions import answer_positions, confidence_gaps, flips
from dgemma_viz.analysis.steps import accepted_counts, noise_ratios, settled_counts
from dgemma_viz.analysis.stop_conditions import entropy_over_threshold, held_back_by, steps_to_stable
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

TRANSITIONS = ("accept_accept", "accept_re_noise", "re_noise_accept", "re_noise_re_noise")
"""What became of each decision at the next step: kept, taken back, accepted at last, or re-noised once more."""


def step_table(run: CanvasRun) -> pd.DataFrame:
    """One row per step.

    Columns: ``step``; ``temperature``; ``noise_ratio``, ``accepted``, ``settled``, ``flips``; the four of
    :data:`TRANSITIONS`; ``budget_used``, ``budget_left`` and ``next_costs`` (nats by which the
    first refused position was over the bound; NaN if none was refused); ``mean_entropy``, ``entropy_over_threshold``,
    ``steps_to_stable``, ``held_back_by``; ``draft_final``, ``candidate_final`` (fraction of the answer), ``mean_gap``
    (confidence gap over the answer), ``kl_moved`` (summed lower bounds) and ``drafted_length``. What belongs to a
    decision is NaN in a step that made none.
    """
    import pandas as pd

    answer = answer_positions(run)
    bound, used = run.array("entropy_bound").astype(float), run.array("entropy_spent").astype(float)
    return pd.DataFrame(
        {
            "step": np.arange(run.n_steps),
            "temperature": run.array("temperature"),
            "noise_ratio": noise_ratios(run),
            "accepted": accepted_counts(run),
            "settled": settled_counts(run),
            "flips": flips(run).sum(axis=1),
            **transitions(run),
            "budget_used": used,
            "budget_left": bound - used,
            "next_costs": _over(run) - bound,
            "mean_entropy": run.array("mean_entropy"),
            "entropy_over_threshold": entropy_over_threshold(run),
            "steps_to_stable": steps_to_stable(run),
            "held_back_by": held_back_by(run),
            "draft_final": _mean(_is_final(run, "draft"), answer),
            "candidate_final": np.where(run.decided, _mean(_is_final(run, "candidate"), answer), np.nan),
            "mean_gap": _mean(confidence_gaps(run), answer),
            "kl_moved": kl_to_previous(run).sum(axis=1),
            "drafted_length": _drafted_lengths(run),
        }
    )


def _is_final(run: CanvasRun, array: str) -> Array:
    """Whether each step's token is the emitted one: bool ``(T, C)``; the last draft where nothing was emitted.

    After TraceLock (arXiv 2605.24697), which locks positions whose proposal will be final.
    """
    ids = run.array(array)
    final = run.emitted if run.emitted is not None else (run.array("draft")[-1] if run.n_steps else None)
    return np.zeros(ids.shape, dtype=bool) if final is None else ids == final


def _drafted_lengths(run: CanvasRun) -> Array:
    """Tokens before the first end-of-sequence token of each step's draft: int ``(T,)``; all of them without one."""
    ends = np.isin(run.array("draft"), run.trace.facts.eos_token_ids)
    return np.where(ends.any(axis=1), ends.argmax(axis=1), run.canvas_length)


def _over(run: CanvasRun) -> Array:
    """Nats that the first refused position of each step would have found used; NaN where none was refused."""
    refused = np.where(run.array("accepted"), np.inf, spent_before(run)).min(axis=1, initial=np.inf)
    return np.where(np.isfinite(refused) & run.decided, refused, np.nan)


def _mean(values: Array, positions: Array) -> Array:
    """Mean over some positions, per step; NaN where there are none."""
    if not positions.any():
        return np.full(len(values), np.nan)
    means: Array = values[:, positions].astype(float).mean(axis=1)
    return means


def transitions(run: CanvasRun) -> dict[str, Array]:
    """Positions by their decision in the step before and in this one: int ``(T,)`` by kind; the first step has zeros.

    From the second step on the four sum to the canvas length, except to 0 where one of the two steps made no decision.
    ``accept_re_noise`` are decisions taken back, which sticky samplers never do (accept -> re-noise transitions of The
    Annotated DiffusionGemma).
    """
    accepted = run.array("accepted")
    before, now = accepted[:-1], accepted[1:]
    decided = (run.decided[:-1] & run.decided[1:])[:, None]
    pairs = (before & now, before & ~now, ~before & now, ~before & ~now)
    counts = {}
    for kind, pair in zip(TRANSITIONS, pairs, strict=True):
        counts[kind] = np.zeros(len(accepted), dtype=int)
        counts[kind][1:] = (pair & decided).sum(axis=1)
    return counts
