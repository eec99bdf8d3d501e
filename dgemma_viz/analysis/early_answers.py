"""How early the answer is there: over many runs, the fraction already right, ever right and already final by step.

After Prophet (arXiv 2508.19982), which finds most answers right by half of the steps, and EverPass (arXiv 2508.09138).
The three curves against each other say what stopping earlier would cost or gain: *final* far left of the last step is
time wasted; *ever right* above *right* is a right answer thrown away again.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.answer_history import answer_history
from dgemma_viz.analysis.intervals import Array, ratio, wilson
from dgemma_viz.analysis.run import Run

if TYPE_CHECKING:
    import pandas as pd

CURVES = ("right", "ever_right", "final")


def early_answers(runs: Iterable[Run]) -> pd.DataFrame:
    """Fractions of runs whose draft answer is right, was right at some step so far, and is final, at each step.

    Parameters
    ----------
    runs
        Those without a reference, cut off, or without any step are left out.

    Returns
    -------
    pd.DataFrame
        One row per ``step`` (over all canvases, counted on), up to the longest run's last. ``runs``: how many in all;
        ``running``: how many of them ran this step; a run that has stopped keeps its last answer. Then for each of
        ``right``, ``ever_right`` and ``final`` the fraction and its 95 % interval ``.._low`` and ``.._high`` (Wilson,
        runs taken as independent: over few prompts with many seeds each it is too narrow).
    """
    import pandas as pd

    histories = [history for run in runs if run.right is not None and (history := answer_history(run)).answers]
    lengths = np.array([len(history.answers) for history in histories], dtype=int)
    steps = int(lengths.max(initial=0))
    columns: dict[str, Array] = {
        "step": np.arange(steps),
        "runs": np.full(steps, len(histories)),
        "running": (lengths[:, None] > np.arange(steps)).sum(axis=0),
    }
    curves = {
        "right": [history.right for history in histories],
        "ever_right": [np.maximum.accumulate(history.right) for history in histories],
        "final": [history.final for history in histories],
    }
    for name in CURVES:
        counts = sum((_held(flags, steps) for flags in curves[name]), np.zeros(steps, dtype=int))
        columns[name] = ratio(counts, columns["runs"])
        columns[f"{name}_low"], columns[f"{name}_high"] = wilson(counts, columns["runs"])
    return pd.DataFrame(columns)


def _held(flags: Array, steps: int) -> Array:
    """Flags carried on to the given number of steps: what has stopped keeps its last value. Int ``(steps,)``."""
    return np.concatenate([flags, np.repeat(flags[-1:], steps - len(flags))]).astype(int)
