"""Entropy, probability of the candidate and alternatives must be of one distribution.

Bounds on the entropy. Let ``p_1 .. p_K`` be known probabilities out of ``V`` and ``r`` what remains. Given those, the
entropy is largest when the rest is spread evenly, ``-sum p_i log p_i - r log r + r log(V - K)``, and smallest when the
rest is as concentrated as ``q <= p_K`` allows: each part adds at least ``-q log p_K``, so ``-sum p_i log p_i - r log
min(p_K, r)``. For ``K = 1`` the upper end is Fano's inequality (Cover and Thomas, Elements of Information Theory,
theorem 2.10.1). An entropy of raw logits beside probabilities after temperature leaves this band, since dividing by
``T < 1`` sharpens.

Rounded probabilities widen the band: both ends are taken over what the true probabilities may have been.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance import needs
from dgemma_viz.conformance.evidence import Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

_TINY = 1e-300


def entropy_band(p: Array, vocabulary: int, rounding: float = 0.0) -> tuple[Array, Array]:
    """Smallest and largest entropy that some probabilities allow.

    Parameters
    ----------
    p
        The most probable tokens' probabilities, best first, float64 ``(..., K)``.
    vocabulary
        Size ``V``.
    rounding
        How far each probability may be from the true one, relative to it.

    Returns
    -------
    tuple
        Nats, ``(...)`` each.
    """
    top_k = p.shape[-1]
    low, high = np.clip(p * (1 - rounding), 0, 1), np.clip(p * (1 + rounding), 0, 1)
    rest_least, rest_most = np.clip(1 - high.sum(-1), 0, 1), np.clip(1 - low.sum(-1), 0, 1)
    terms_low, terms_high = np.minimum(_term(low), _term(high)), np.maximum(_term(low), _term(high))
    peak = 1 / np.e
    terms_high = np.where((low < peak) & (high > peak), peak, terms_high)
    largest_of_rest = np.clip(np.minimum(high[..., -1], rest_most), _TINY, 1)
    smallest = terms_low.sum(-1) - rest_least * np.log(largest_of_rest)
    if vocabulary <= top_k:
        return smallest, terms_high.sum(-1)
    # The bound on the rest rises with it only up to (V - K) / e, which is above 1 but for vocabularies of a few tokens.
    rest = np.minimum(rest_most, (vocabulary - top_k) / np.e)
    return smallest, terms_high.sum(-1) + _term(rest) + rest * np.log(vocabulary - top_k)


def _term(p: Array) -> Array:
    term: Array = -p * np.log(np.maximum(p, _TINY))
    return term


def _alternatives(evidence: Evidence, run: CanvasRun) -> Array:
    """Known probabilities, best first: the alternatives, or the confidence alone; float64 ``(T, C, K)``."""
    if not evidence.has("top_k_probabilities"):
        return run.array("confidence").astype(float)[..., None]
    alternatives: Array = np.sort(run.array("top_k_probabilities").astype(float), axis=-1)[..., ::-1]
    return alternatives


def _entropy_fits(evidence: Evidence, run: CanvasRun) -> Checked:
    entropy, p = run.array("entropy").astype(float), _alternatives(evidence, run)
    known = np.isfinite(entropy) & np.isfinite(p).all(axis=-1)
    rounding = evidence.tolerances.probability
    low, high = entropy_band(np.where(known[..., None], p, 0), evidence.trace.facts.vocab_size, rounding)
    slack = evidence.tolerances.entropy + evidence.tolerances.relative * np.abs(entropy)
    wrong = known & ~((low - slack <= entropy) & (entropy <= high + slack))
    if not wrong.any():
        return Checked(int(known.sum()))
    t, position = first_place(wrong)
    band = f"{low[t, position]:.4g} to {high[t, position]:.4g}"
    side = "above" if entropy[t, position] > high[t, position] else "below"
    return Checked(
        int(known.sum()),
        Breach(
            int(steps_of(run)[t]),
            position,
            f"{entropy[t, position]:.4g} nats",
            f"{band} nats",
            f"Entropy is {entropy[t, position]:.4g} nats, {side} what the recorded probabilities allow ({band}): they "
            "belong to different distributions, such as those before and after temperature.",
            int(wrong.sum()),
        ),
    )


def _candidate_fits(evidence: Evidence, run: CanvasRun) -> Checked:
    candidate, found = run.array("candidate"), run.array("candidate_probability").astype(float)
    p = run.array("top_k_probabilities").astype(float)
    listed = run.array("top_k_ids") == candidate[..., None]
    known = np.isfinite(found) & np.isfinite(p).all(axis=-1)
    found, p = np.where(known, found, 0), np.where(known[..., None], p, 0)
    slack = 2 * evidence.tolerances.probability
    own = np.where(listed, p, 0).sum(axis=-1)
    most = np.minimum(p.min(axis=-1), np.clip(1 - p.sum(axis=-1), 0, 1) + slack * p.shape[-1])
    fits = np.where(listed.any(axis=-1), np.abs(found - own) <= slack, found <= most + slack)
    wrong = known & ~fits
    if not wrong.any():
        return Checked(int(known.sum()))
    t, position = first_place(wrong)
    expected = f"{own[t, position]:.4g}" if listed[t, position].any() else f"at most {most[t, position]:.4g}"
    return Checked(
        int(known.sum()),
        Breach(
            int(steps_of(run)[t]),
            position,
            f"{found[t, position]:.4g}",
            expected,
            f"The candidate's probability is {found[t, position]:.4g}; the alternatives give {expected}.",
            int(wrong.sum()),
        ),
    )


RULES = (
    Rule(
        "entropy-fits-probabilities",
        "Entropy lies in the band that the alternatives' probabilities (or the confidence alone) leave open.",
        "EntropyBoundSampler.accept_canvas takes it of the processed logits; diffusers#14386 (raw logits)",
        (
            needs.arrays("entropy"),
            needs.any_array("top_k_probabilities", "confidence"),
            needs.vocabulary,
        ),
        each(_entropy_fits),
    ),
    Rule(
        "candidate-probability",
        "The candidate's probability is the one among the alternatives, or below all of them.",
        "DiffusionGemmaGenerationMixin._denoising_step (torch.multinomial)",
        (needs.arrays("candidate", "candidate_probability", "top_k_ids", "top_k_probabilities"),),
        each(_candidate_fits),
    ),
)
