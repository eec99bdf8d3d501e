"""A sweep as a tidy table of its runs, and what that says about each setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.analysis.intervals import Array, bootstrap_over_runs, ratio, wilson
from dgemma_viz.analysis.reference import Reference
from dgemma_viz.errors import SettingError
from dgemma_viz.labs.prompts import is_right
from dgemma_viz.labs.sweep.outcome import Outcomes
from dgemma_viz.labs.sweep.plan import Plan, Setting, shown

if TYPE_CHECKING:
    import pandas as pd

_MEASURED = {
    "output": "object",
    "right": "boolean",
    "canvases": "Int64",
    "forwards": "Int64",
    "tokens": "Int64",
    "tokens_per_forward": "float64",
    "seconds": "float64",
    "warnings": "object",
    "error": "object",
}


NUMBERS = {
    "runs": "int64",
    "failed": "int64",
    "judged": "int64",
    "prompts": "int64",
    "right": "int64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "prompts_low": "float64",
    "prompts_high": "float64",
    "forwards": "float64",
    "forwards_low": "float64",
    "forwards_high": "float64",
    "tokens_per_forward": "float64",
    "seconds": "float64",
}


def parameter_columns(settings: Sequence[Setting]) -> list[str]:
    """Every parameter that a setting chooses, in order of appearance."""
    return list(dict.fromkeys(name for setting in settings for name, _ in setting.chosen))


def table_of(plan: Plan, outcomes: Mapping[str, Outcomes], reference: Reference | None) -> pd.DataFrame:
    """One row for each run that is there; see :attr:`dgemma_viz.labs.sweep.Sweep.table`."""
    import pandas as pd

    names = parameter_columns(plan.settings)
    rows: list[dict[str, Any]] = []
    numbers = []
    for number, (cell, place) in enumerate(plan.rows()):
        if cell.key not in outcomes:
            continue
        outcome, prompt = outcomes[cell.key][place], cell.prompts[place]
        right, why = None, outcome.error
        try:
            right = None if why else is_right(prompt, outcome.output, reference)
        except SettingError as error:
            why = f"not judged: {error}"
        chosen = {name: shown(value) for name, value in cell.setting.chosen}
        numbers.append(number)
        rows.append(
            {
                "setting": cell.setting.label,
                "sampler": cell.setting.sampler,
                **{name: chosen.get(name, np.nan) for name in names},
                "seed": cell.seed,
                "prompt": prompt,
                "sample": place,
                "output": outcome.output,
                "right": right,
                "canvases": outcome.canvases,
                "forwards": outcome.forwards,
                "tokens": outcome.tokens,
                "tokens_per_forward": outcome.tokens / outcome.forwards
                if outcome.forwards and outcome.tokens is not None
                else np.nan,
                "seconds": outcome.seconds,
                "warnings": outcome.warnings,
                "error": why,
            }
        )
    columns = ["setting", "sampler", *names, "seed", "prompt", "sample", *_MEASURED]
    table = pd.DataFrame(rows, columns=columns, index=pd.Index(numbers, dtype="int64", name="run"))
    return table.astype({"seed": "int64", "sample": "int64", **_MEASURED})


def summary_of(table: pd.DataFrame, by: str | Sequence[str], carried: Sequence[str] = ()) -> pd.DataFrame:
    """One row per group; see :meth:`dgemma_viz.labs.sweep.Sweep.summary`.

    Parameters
    ----------
    table
        From :func:`table_of`.
    by
        Column or columns that tell groups apart; NaN is a value of its own.
    carried
        Columns that have one value in each group, and go into the summary as well.

    Raises
    ------
    SettingError
        No such column.
    """
    import pandas as pd

    keys = [by] if isinstance(by, str) else list(by)
    possible = [name for name in table.columns if name not in {"right", "output", "error", "warnings", *NUMBERS}]
    if not keys or (unknown := [name for name in keys if name not in possible]):
        wrong = f"{unknown[0]!r} is not one" if keys else "there is none"
        raise SettingError(f"a summary is by one or more columns of {', '.join(possible)}; {wrong}")
    shown = [*keys, *(name for name in carried if name not in keys)]
    rows = [
        {name: group[name].iloc[0] for name in shown} | _numbers(group)
        for _, group in table.groupby(keys, sort=False, dropna=False)
    ]
    summary = pd.DataFrame(rows, columns=[*shown, *NUMBERS]).astype(NUMBERS)
    summary.attrs["by"] = keys
    return summary


def _numbers(group: pd.DataFrame) -> dict[str, Any]:
    ran = group[group["forwards"].notna()]
    judged = ran[ran["right"].notna()]
    right = judged["right"].to_numpy(dtype=float)
    forwards = ran["forwards"].to_numpy(dtype=float)
    low, high = wilson(right.sum(), len(right))
    prompts_low, prompts_high = bootstrap_over_runs(_per_prompt(judged, right), _mean)
    forwards_low, forwards_high = bootstrap_over_runs(_per_prompt(ran, forwards), _mean)
    return {
        "runs": len(ran),
        "failed": len(group) - len(ran),
        "judged": len(judged),
        "prompts": ran["prompt"].nunique(),
        "right": int(right.sum()),
        "accuracy": float(ratio(right.sum(), len(right))),
        "low": float(low),
        "high": float(high),
        "prompts_low": float(prompts_low),
        "prompts_high": float(prompts_high),
        "forwards": float(ratio(forwards.sum(), len(forwards))),
        "forwards_low": float(forwards_low),
        "forwards_high": float(forwards_high),
        "tokens_per_forward": float(ratio(ran["tokens"].to_numpy(dtype=float).sum(), forwards.sum())),
        "seconds": float(ran["seconds"].mean()) if len(ran) else np.nan,
    }


def _per_prompt(rows: pd.DataFrame, values: Array) -> Array:
    """Sum and number of the values of each prompt, ``(prompts, 2)``."""
    codes = rows["prompt"].factorize()[0]
    return np.column_stack([np.bincount(codes, weights=values), np.bincount(codes)])


def _mean(sums: Array) -> Array:
    return ratio(sums[:, 0], sums[:, 1])
