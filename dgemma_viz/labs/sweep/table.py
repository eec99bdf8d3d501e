"""The rows of a sweep as a tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgemma_viz.analysis.reference import Reference
from dgemma_viz.labs.sweep.cell import Plan
from dgemma_viz.labs.sweep.judging import right_of
from dgemma_viz.labs.sweep.running import Outcomes
from dgemma_viz.labs.sweep.setting import Setting, shown

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


def parameter_columns(settings: Sequence[Setting]) -> list[str]:
    """Every parameter that a setting chooses, in order of appearance."""
    return list(dict.fromkeys(name for setting in settings for name, _ in setting.chosen))


def table_of(
    plan: Plan, outcomes: Mapping[str, Outcomes], checker: Reference | Mapping[str, Reference] | None
) -> pd.DataFrame:
    """One row for each run that is there; see :attr:`dgemma_viz.labs.sweep.Sweep.table`."""
    import pandas as pd

    names = parameter_columns(plan.settings)
    rows: list[dict[str, Any]] = []
    numbers = []
    for number, (cell, place) in enumerate(plan.rows()):
        if cell.key not in outcomes:
            continue
        outcome, prompt = outcomes[cell.key][place], cell.prompts[place]
        right, why = (None, outcome.error) if outcome.error else right_of(prompt, outcome.output, checker)
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
