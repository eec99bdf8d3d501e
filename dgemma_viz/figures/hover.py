"""Hover texts: what a position was at a step, with the provenance of every value."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.passages import drafted
from dgemma_viz.figures.marks import decision_marks, decisions
from dgemma_viz.figures.quantities import Quantity
from dgemma_viz.figures.token_text import escape, label
from dgemma_viz.plain_text import isolated
from dgemma_viz.trace.decision import Phase
from dgemma_viz.trace.inside import Inside
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import ARRAYS

Array = npt.NDArray[Any]

PHASES: dict[int, str] = {Phase.DENOISE: "denoising step", Phase.CORRECT: "corrector sweep", Phase.EDIT: "editing pass"}
"""What kind of decoder pass a step was, in words."""


def token_labels(run: CanvasRun | Inside, ids: Array, max_length: int = 40) -> Array:
    """Escaped labels of token ids, same shape; each distinct id is worked out once."""
    distinct, inverse = np.unique(ids, return_inverse=True)
    labels = np.array([label(run.token_text(token), max_length) for token in distinct.tolist()])
    return labels[inverse].reshape(ids.shape)


def passages(run: CanvasRun, step: int) -> Array:
    """The text of a step's drafts around each position, quoted and escaped: ``(C,)``.

    Empty where the draft only ends or fills the canvas.
    """
    drafts, text = run.array("draft")[step], drafted(run, step)
    found = np.full(drafts.shape, "", dtype=object)
    for position in np.flatnonzero(~np.isin(drafts, run.trace.facts.filling_ids)).tolist():
        found[position] = escape(isolated(text.at([position])))
    return found


def value_lines(quantity: Quantity, values: Array) -> Array:
    """A hover line for each value, same shape; empty for acceptance, which :func:`outcome_texts` tells anyway."""
    if quantity.name == "accepted":
        return np.full(values.shape, "")
    distinct, inverse = np.unique(values, return_inverse=True)
    words = [f"{quantity.title}: {quantity.text(value)} · {quantity.provenance}<br>" for value in distinct.tolist()]
    return np.array(words)[inverse].reshape(values.shape)


def value_template(quantity: Quantity, values: Array) -> str:
    """:func:`value_lines` as a part of a hover template that writes the number ``z`` itself: no text for each cell.

    Empty where a template, which has no conditions, cannot say it: words for categories, and what is not a number.
    """
    if quantity.categories or not np.isfinite(values).all():
        return ""
    unit = f" {quantity.unit}" if quantity.unit else ""
    return f"{quantity.title}: %{{z:.4~g}}{unit} · {quantity.provenance}<br>"


def outcome_texts(run: CanvasRun) -> Array:
    """``● accepted``, ``○ re-noised`` and so on, ``(T, C)``; steps that are no denoising steps say so."""
    marks, codes = decision_marks(run.trace), decisions(run)
    texts = np.full(codes.shape, "", dtype=object)
    for code in np.unique(codes).tolist():
        texts[codes == code] = f"{marks[code].glyph} {marks[code].label}"
    for step, phase in enumerate(run.trace.phase[run.steps].tolist()):
        if phase != Phase.DENOISE:
            texts[step] += f" · {PHASES[phase]}"
    return texts


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
