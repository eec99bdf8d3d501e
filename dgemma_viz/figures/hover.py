"""Hover texts: what a position was at a step, with the provenance of every value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.figures.marks import ACCEPTED, RE_NOISED
from dgemma_viz.figures.token_text import label
from dgemma_viz.trace.schema import ARRAYS

if TYPE_CHECKING:
    from dgemma_viz.figures.quantities import Quantity
    from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def token_labels(run: CanvasRun, ids: Array, max_length: int = 40) -> Array:
    """Escaped labels of token ids, same shape; each distinct id is worked out once."""
    distinct, inverse = np.unique(ids, return_inverse=True)
    labels = np.array([label(run.token_text(token), max_length) for token in distinct.tolist()])
    return labels[inverse].reshape(ids.shape)


def value_lines(quantity: Quantity, values: Array) -> Array:
    """A hover line for each value, same shape; empty for acceptance, which :func:`outcome_texts` tells anyway."""
    if quantity.name == "accepted":
        return np.full(values.shape, "")
    distinct, inverse = np.unique(values, return_inverse=True)
    words = [f"{quantity.title}: {quantity.text(value)} · {quantity.provenance}<br>" for value in distinct.tolist()]
    return np.array(words)[inverse].reshape(values.shape)


def outcome_texts(accepted: Array) -> Array:
    """``● accepted`` or ``○ re-noised``, same shape."""
    return np.where(accepted, f"{ACCEPTED.glyph} {ACCEPTED.label}", f"{RE_NOISED.glyph} {RE_NOISED.label}")


def alternatives_text(run: CanvasRun, step: int, position: int, most: int = 5) -> str:
    """The most probable tokens of one position, a line each; escaped."""
    ids = run.array("top_k_ids")[step, position, :most]
    probabilities = run.array("top_k_probabilities")[step, position, :most].astype(float)
    lines = [
        f"{probability_text(p)}  {label(run.token_text(token), 24)}"
        for token, p in zip(ids, probabilities, strict=True)
    ]
    return "<br>".join([f"alternatives · {ARRAYS['top_k_probabilities'].provenance}", *lines]) if lines else ""


def probability_text(probability: float) -> str:
    """Three digits; small ones as ``<0.001``; escaped."""
    if np.isnan(probability):
        return "not a number"
    return "&lt;0.001" if 0 < probability < 0.0005 else f"{probability:.3f}"  # noqa: PLR2004
