"""Passages of a canvas: the text around its positions, at a step or at the end."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.passage import Passages
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

MASK_TEXT = "▒"
"""Stands for a mask token."""


def drafted(run: CanvasRun, step: int) -> Passages:
    """Passages of a step's drafts; outside of the output stands what was read."""
    return passages_of(run, np.where(run.in_output, run.array("draft")[step], run.array("noised")[step]))


def final(run: CanvasRun, kept: Collection[int] = ()) -> Passages:
    """Passages of what was emitted, or of the last draft of a canvas that was not; empty for one without steps."""
    if run.emitted is None and not run.n_steps:
        return Passages([])
    return passages_of(run, run.array("draft")[-1] if run.emitted is None else run.emitted, kept)


def passages_of(run: CanvasRun, ids: Array, kept: Collection[int] = ()) -> Passages:
    """Passages of token ids ``(C,)``. What ends or fills the canvas has no text, but for what is ``kept``."""
    facts = run.trace.facts
    texts = np.array(run.trace.token_texts_of(ids), dtype=object)
    texts[ids == facts.mask_token_id] = MASK_TEXT
    left_out = np.isin(ids, facts.filling_ids)
    left_out[list(kept)] = False
    texts[left_out] = ""
    return Passages(texts.tolist())
