"""What a change did to drafts and entropies, step by step: two runs of one canvas as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.comparison import pair_of
from dgemma_viz.errors import TraceError
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("step", "changed", "entropy", "entropy_changed", "confidence", "confidence_changed")


def effect_by_step(original: Trace, changed: Trace, canvas: int = 0, sample: int = 0) -> pd.DataFrame:
    """Two runs of one canvas beside each other, over the steps that both ran.

    Parameters
    ----------
    original, changed
        A run, and the same with something changed; see :class:`~dgemma_viz.labs.interventions.Intervened`.
    canvas, sample
        Which of both.

    Returns
    -------
    pandas.DataFrame
        One row per step: ``changed``, the share of positions with another draft; mean ``entropy`` (nats) and
        ``confidence`` over the positions of the original, and of the changed run (``..._changed``).

    Raises
    ------
    TraceError
        One of them does not have this canvas, or they cannot be compared.
    """
    import pandas as pd

    pair = pair_of(original, changed)
    one, two = pair.runs(canvas, sample)
    if one is None or two is None:
        raise TraceError(f"not both runs have canvas {canvas} of sample {sample}")
    apart = pair.differences(canvas, sample)
    steps = apart.common
    means = [run.array(name)[:steps].mean(axis=1) for name in ("entropy", "confidence") for run in (one, two)]
    return pd.DataFrame(
        dict(zip(COLUMNS, (np.arange(steps), apart.draft_fractions[:steps], *means), strict=True)),
    )
