"""Which tokens of a run to make wrong, and into what: from its trace alone, before anything runs again."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.healing import replaceable
from dgemma_viz.trace.model import CanvasRun

Wrong = Literal["plausible", "random"]
"""What a wrong token is: what the model held most probable after the right one, or any other token, as noise is."""

WRONG: tuple[Wrong, ...] = ("plausible", "random")


def choose(run: CanvasRun, step: int, most: int, seed: int, wrong: Wrong) -> dict[int, int]:
    """Wrong token by position: at most ``most``, all at positions that are :func:`replaceable`.

    With the same seed, the positions of a smaller number are the first of those of a larger one.

    Parameters
    ----------
    run
        The undisturbed run of the canvas.
    step
        Step that is to read the wrong tokens.
    most
        How many to choose.
    seed
        Of positions and, if they are random, of tokens.
    wrong
        What a wrong token is.
    """
    random = np.random.default_rng([seed, run.sample, run.canvas, step])
    positions = random.permutation(np.flatnonzero(replaceable(run, step)))[:most]
    right = run.array("noised")[step] if len(positions) else np.zeros(0, dtype=int)
    if wrong == "random":
        shifts = random.integers(1, run.trace.facts.vocab_size, size=len(positions))
        others = [
            (int(right[p]) + int(shift)) % run.trace.facts.vocab_size
            for p, shift in zip(positions, shifts, strict=True)
        ]
        return {int(p): token for p, token in zip(positions, others, strict=True)}
    return {int(p): _runner_up(run.array("top_k_ids")[step - 1, p], int(right[p])) for p in positions}


def _runner_up(alternatives: npt.NDArray[Any], right: int) -> int:
    """The most probable token but the right one, in the step that decided."""
    return next(int(token) for token in alternatives if token != right)
