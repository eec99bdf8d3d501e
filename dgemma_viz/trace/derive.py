"""Per-step quantities that follow from measured ones: entropy spent, mean entropy, steps with a stable draft."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.decision import NO_DECISION

Array = npt.NDArray[Any]


def derived(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """All of them, by name, from a run's arrays: what a canvas does not reach, and what decided nothing, is left out.

    ``length`` and ``decision`` may be missing, where canvases are equally long and every step decided.
    """
    ends = np.flatnonzero(np.diff(arrays["canvas"])) + 1
    entropies, lengths = np.split(arrays["entropy"], ends), arrays.get("length")
    if lengths is not None:
        begins = np.concatenate([[0], ends])
        entropies = [part[..., : lengths[begin]] for part, begin in zip(entropies, begins, strict=True)]
    spent = entropy_spent(arrays["entropy"], arrays["accepted"])
    if "decision" in arrays:
        spent[arrays["decision"][:, :, 0] == NO_DECISION] = np.nan
    return {
        "entropy_spent": spent,
        "mean_entropy": np.concatenate([mean_entropy(part) for part in entropies]),
        "stable_steps": np.concatenate([stable_steps(drafts) for drafts in np.split(arrays["draft"], ends)]),
    }


def entropy_spent(entropy: Array, accepted: Array) -> Array:
    """What ``EntropyBoundSampler.accept_canvas`` limits: sum of the accepted entropies less the largest of them.

    Parameters
    ----------
    entropy
        Nats, ``(..., C)``.
    accepted
        Bool, ``(..., C)``.

    Returns
    -------
    Array
        Nats, float32 ``(...)``; 0 where nothing was accepted.
    """
    kept = np.where(accepted, entropy.astype(np.float64), 0.0)
    largest = np.max(kept, axis=-1, initial=0.0)
    with np.errstate(invalid="ignore", over="ignore"):  # entropies that no distribution has, from a file
        spent: Array = (kept.sum(axis=-1) - largest).astype(np.float32)
    return spent


def mean_entropy(entropy: Array) -> Array:
    """Mean over the canvas, float32 ``(...)``: what ``StableAndConfidentStoppingCriteria`` compares."""
    with np.errstate(invalid="ignore"):
        mean: Array = entropy.mean(axis=-1, dtype=np.float64).astype(np.float32)
    return mean


def stable_steps(drafts: Array) -> Array:
    """Consecutive steps, up to each, in which a sample's draft equalled the one before.

    ``StableAndConfidentStoppingCriteria`` calls a draft stable from the step at which this reaches its
    ``stability_threshold``; its history starts anew with each canvas, so the first step always counts 0.

    Parameters
    ----------
    drafts
        The steps of ONE canvas in order, ``(T, B, C)``.

    Returns
    -------
    Array
        int32 ``(T, B)``.
    """
    counts = np.zeros(drafts.shape[:2], dtype=np.int32)
    for step in range(1, len(drafts)):
        same = (drafts[step] == drafts[step - 1]).all(axis=-1)
        counts[step] = np.where(same, counts[step - 1] + 1, 0)
    return counts
