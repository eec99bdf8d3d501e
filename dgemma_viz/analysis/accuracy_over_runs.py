"""Accuracy of many runs, by task, prompt or seed: right at the end, and right at some step (EverPass).

Two intervals, for two questions. Wilson's takes runs as independent: how far would this number move with other seeds?
The bootstrap over prompts draws whole prompts again: how far would it move with other prompts? The second is the one to
quote for a model, and needs several prompts.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dgemma_viz.analysis.answer_history import history_table
from dgemma_viz.analysis.intervals import Array, bootstrap_over_runs, ratio, wilson
from dgemma_viz.analysis.run import Run
from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

By = Literal["all", "task", "prompt", "seed"]
BY: tuple[By, ...] = ("all", "task", "prompt", "seed")
_COLUMNS = {
    "runs": "int64",
    "prompts": "int64",
    "not_judged": "int64",
    "right": "int64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "prompts_low": "float64",
    "prompts_high": "float64",
    "ever_right": "int64",
    "ever_accuracy": "float64",
    "ever_low": "float64",
    "ever_high": "float64",
    "vote_accuracy": "float64",
    "mean_steps": "float64",
    "steps_low": "float64",
    "steps_high": "float64",
}


def accuracy_over_runs(runs: Iterable[Run], by: By = "all") -> pd.DataFrame:
    """Accuracy of groups of runs.

    Parameters
    ----------
    runs
        Many runs. Those cut off or without a reference count as ``not_judged`` and in nothing else.
    by
        ``"all"`` (one row), ``"task"``, ``"prompt"`` or ``"seed"``.

    Returns
    -------
    pd.DataFrame
        One row per group, in order of appearance: the group (column ``by``, unless ``"all"``), ``runs`` (judged),
        ``prompts``, ``not_judged``; ``right``, ``accuracy`` with 95 % intervals ``low``, ``high`` (Wilson) and
        ``prompts_low``, ``prompts_high`` (bootstrap over prompts; NaN with fewer than two); ``ever_right`` and
        ``ever_accuracy`` (the draft answer was right at some step) with ``ever_low``, ``ever_high`` (Wilson);
        ``vote_accuracy`` (the answer of most steps is right); ``mean_steps`` with ``steps_low``, ``steps_high``
        (bootstrap over runs). A group without judged runs has NaN. No runs give no rows.

    Raises
    ------
    SettingError
        Unknown grouping.
    """
    import pandas as pd

    if by not in BY:
        raise SettingError(f"runs cannot be grouped by {by!r}; choose from {list(BY)}")
    runs = list(runs)
    keys = [None if by == "all" else getattr(run, by) for run in runs]
    history = history_table(runs)
    judged = np.array([keys.index(keys[run]) for run in history["run"]], dtype=int)
    rows = []
    for key in dict.fromkeys(keys):
        group = history[judged == keys.index(key)]
        rows.append({by: key} | _row(group, keys.count(key) - len(group)))
    table = pd.DataFrame(rows, columns=[by, *_COLUMNS]).astype(_COLUMNS)
    return table.drop(columns=by) if by == "all" else table


def _row(group: pd.DataFrame, not_judged: int) -> dict[str, Any]:
    n = len(group)
    right, ever = group["right"].to_numpy(), group["ever_right"].to_numpy()
    steps = group["steps"].to_numpy()
    codes = group["prompt"].factorize()[0]
    per_prompt = np.column_stack([np.bincount(codes, weights=right), np.bincount(codes)])
    (low, high), (ever_low, ever_high) = wilson(right.sum(), n), wilson(ever.sum(), n)
    prompts_low, prompts_high = bootstrap_over_runs(per_prompt, _mean)
    steps_low, steps_high = bootstrap_over_runs(np.column_stack([steps, np.ones(n)]), _mean)
    return {
        "runs": n,
        "prompts": len(per_prompt),
        "not_judged": not_judged,
        "right": int(right.sum()),
        "accuracy": float(ratio(right.sum(), n)),
        "low": float(low),
        "high": float(high),
        "prompts_low": float(prompts_low),
        "prompts_high": float(prompts_high),
        "ever_right": int(ever.sum()),
        "ever_accuracy": float(ratio(ever.sum(), n)),
        "ever_low": float(ever_low),
        "ever_high": float(ever_high),
        "vote_accuracy": float(ratio(group["vote_right"].sum(), n)),
        "mean_steps": float(ratio(steps.sum(), n)),
        "steps_low": float(steps_low),
        "steps_high": float(steps_high),
    }


def _mean(sums: Array) -> Array:
    return ratio(sums[:, 0], sums[:, 1])
