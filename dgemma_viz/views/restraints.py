"""What was not left to the model, as the browser needs it: JSON values of a run, and nothing of a run that has none.

``static/restraints.js`` reads them. Flags are told position by position; counts mostly are one for a whole step, and
drafts that were banned are few.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.restraints import banned_drafts, clamped, given_tokens
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    Array = npt.NDArray[Any]

GIVEN, CLAMPED, BANNED = 1, 2, 4
"""Bits of a flag."""


def restraints_json(run: CanvasRun) -> dict[str, Any]:
    """``restraints`` of a run; empty where nothing was restrained.

    By step: ``flags``, a string of digits; ``banned``, one count or as many as positions; ``drafts``, ids of banned
    drafts by position.
    """
    flags = GIVEN * given_tokens(run) + CLAMPED * clamped(run) + BANNED * banned_drafts(run)
    if not flags.any() and not run.array("banned").any():
        return {}
    drafts = run.array("banned_draft")
    return {
        "restraints": {
            "flags": ["".join(map(str, row)) for row in flags.tolist()],
            "banned": [_counts(row) for row in run.array("banned")],
            "drafts": [{str(place): int(row[place]) for place in np.flatnonzero(row >= 0)} for row in drafts],
        }
    }


def _counts(row: Array) -> int | list[int]:
    counts: list[int] = row.tolist()
    return counts[0] if len(set(counts)) == 1 else counts
