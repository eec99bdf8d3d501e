"""How far each position's distribution moved: Kullback-Leibler divergence to the step before, and to the last step.

After the KL drift of The Annotated DiffusionGemma, which keeps all logits. A trace keeps the most probable tokens, so
both distributions are put into the same bins: one for each token that is among the alternatives of *both* steps, and
one for everything else. Their probabilities are known, and merging outcomes never increases the divergence (data
processing), so each value is a **lower bound** of the true divergence; it is 0 where no token is in both lists.
Probabilities are stored in 16 bits: what is below 1e-4 nats is rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

_SMALLEST = 1e-7
"""Probability that a bin is given at least, so that rounding to zero does not make a divergence infinite."""


def kl_to_previous(run: CanvasRun) -> Array:
    """Lower bound of KL(step ‖ step before) in nats: float ``(T, C)``; NaN in the first step."""
    result = np.full((run.n_steps, run.canvas_length), np.nan)
    if run.n_steps > 1:
        ids, probabilities = run.array("top_k_ids"), run.array("top_k_probabilities").astype(float)
        result[1:] = binned_divergence(ids[1:], probabilities[1:], ids[:-1], probabilities[:-1])
    return result


def kl_to_final(run: CanvasRun) -> Array:
    """Lower bound of KL(last step ‖ step) in nats: float ``(T, C)``; 0 in the last step.

    How much of what the model knew at the end it did not know yet.
    """
    if not run.n_steps:
        return np.zeros((0, run.canvas_length))
    ids, probabilities = run.array("top_k_ids"), run.array("top_k_probabilities").astype(float)
    last = (np.broadcast_to(ids[-1], ids.shape), np.broadcast_to(probabilities[-1], ids.shape))
    return binned_divergence(*last, ids, probabilities)


def binned_divergence(p_ids: Array, p: Array, q_ids: Array, q: Array) -> Array:
    """KL(p ‖ q) over tokens that both lists hold, and the rest; arrays ``(..., K)``."""
    same = p_ids[..., :, None] == q_ids[..., None, :]
    shared = same.any(axis=-1)
    q_of = (same * q[..., None, :]).sum(axis=-1)
    p_of = np.where(shared, p, 0.0)
    rest_p, rest_q = 1 - p_of.sum(axis=-1), 1 - np.where(shared, q_of, 0.0).sum(axis=-1)
    terms: Array = np.where(shared, _term(p, q_of), 0.0).sum(axis=-1) + _term(rest_p, rest_q)
    return terms.clip(min=0.0)


def _term(p: Array, q: Array) -> Array:
    p, q = np.maximum(p, _SMALLEST), np.maximum(q, _SMALLEST)
    term: Array = p * np.log(p / q)
    return term
