"""What became of each decision at the next step: kept, taken back, accepted at last, or re-noised once more."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]

KINDS = ("accept_accept", "accept_re_noise", "re_noise_accept", "re_noise_re_noise")


def transitions(run: CanvasRun) -> dict[str, Array]:
    """Positions by their decision in the step before and in this one: int ``(T,)`` by kind; the first step has zeros.

    From the second step on the four sum to the canvas length, except to 0 where one of the two steps made no decision.
    ``accept_re_noise`` are decisions taken back, which
    sticky samplers never do (accept -> re-noise transitions of The Annotated DiffusionGemma).
    """
    accepted = run.array("accepted")
    before, now = accepted[:-1], accepted[1:]
    decided = (run.decided[:-1] & run.decided[1:])[:, None]
    pairs = (before & now, before & ~now, ~before & now, ~before & ~now)
    counts = {}
    for kind, pair in zip(KINDS, pairs, strict=True):
        counts[kind] = np.zeros(len(accepted), dtype=int)
        counts[kind][1:] = (pair & decided).sum(axis=1)
    return counts
