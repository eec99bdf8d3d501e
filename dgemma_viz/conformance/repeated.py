"""Which traces repeat the random draws of others: as evidence on chance, they count once.

A file given twice, and two prompts sampled from one random state, look like two runs, but what chance did in the one it
did in the other. Pooled as if they were independent, a harmless coincidence would grow into an accusation.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dgemma_viz.trace.model import Trace


def repeated_draws(traces: Sequence[Trace]) -> dict[int, int]:
    """Index of each trace that repeats an earlier one's random draws, and the earlier one's index.

    Two runs count as drawn alike if they began in the same state of the generator; where one does not say, if they
    began with the same random canvas; where none was logged, if they name the same seed, or drew all the same.
    """
    repeated: dict[int, int] = {}
    for index, trace in enumerate(traces):
        for earlier in range(index):
            if earlier not in repeated and _drawn_alike(traces[earlier], trace):
                repeated[index] = earlier
                break
    return repeated


def _drawn_alike(first: Trace, second: Trace) -> bool:
    if first is second:
        return True
    if first.generator_state is not None and second.generator_state is not None:
        return np.array_equal(first.generator_state, second.generator_state)
    if _begins_with_noise(first) and _begins_with_noise(second):
        return np.array_equal(first.noised[0], second.noised[0])
    if first.facts.seed is not None and second.facts.seed is not None:
        return first.facts.seed == second.facts.seed
    return all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("candidate", "draft"))


def _begins_with_noise(trace: Trace) -> bool:
    return trace.n_steps > 0 and "noised" not in trace.facts.absent and trace.facts.mask_token_id is None
