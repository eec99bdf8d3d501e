"""Whether tokens that were made wrong in the middle of a run came right again, how soon, and what else they spoilt.

Two runs of one canvas are set side by side: the original, and one in which some tokens were replaced before a step.
Both read the same random numbers, so whatever differs afterwards follows from the replacement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.positions import answer_positions
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Healing:
    """What became of replaced tokens.

    Attributes
    ----------
    healed
        Bool, one per replaced position: the token that the original run emitted there was emitted again.
    steps
        Int: denoising steps from the replacement, that step included, until the draft was that token for good; 0 where
        it was not healed.
    spread
        Answer positions that were not replaced and in which the two runs emitted different tokens.
    """

    healed: Array
    steps: Array
    spread: int


def healing(original: CanvasRun, changed: CanvasRun, step: int, positions: Sequence[int]) -> Healing | None:
    """Compare two runs of one canvas; None where one of them was not emitted.

    Parameters
    ----------
    original, changed
        Runs of the same canvas and sample.
    step
        Denoising step of the canvas that read the replaced tokens.
    positions
        Where they were.
    """
    wanted, got = original.emitted, changed.emitted
    if wanted is None or got is None:
        return None
    at = np.asarray(positions, dtype=int)
    healed = wanted[at] == got[at]
    right = changed.array("draft")[step:, at] == wanted[at]
    wrong_at = np.where(right, 0, np.arange(1, len(right) + 1)[:, None])
    steps = np.where(healed, np.max(wrong_at, axis=0, initial=0) + 1, 0)
    others = answer_positions(original) | answer_positions(changed)
    others[at] = False
    return Healing(healed, steps, int((others & (wanted != got)).sum()))


def replaceable(run: CanvasRun, step: int) -> Array:
    """Positions whose token, as a step reads it, is right and stays: bool ``(C,)``.

    The step before decided on it, the run emits it in the end, and it belongs to the answer before its end. None in
    step 0, which reads noise, and none in a step that did not run or of a canvas that was not emitted.
    """
    if not 0 < step < run.n_steps or run.emitted is None:
        return np.zeros(run.canvas_length, dtype=bool)
    settled: Array = run.array("accepted")[step - 1] & (run.array("noised")[step] == run.emitted)
    return settled & answer_positions(run) & ~np.isin(run.emitted, run.trace.facts.eos_token_ids)
