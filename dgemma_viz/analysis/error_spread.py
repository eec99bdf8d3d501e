"""How much of a wrong answer is wrong: a token, a few, or all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dgemma_viz.analysis.intervals import ratio
from dgemma_viz.analysis.run import Run

if TYPE_CHECKING:
    import pandas as pd


def error_spread(runs: Iterable[Run]) -> pd.DataFrame:
    """One row per wrong answer whose tokens could be judged.

    Columns: ``run`` (index), ``task``, ``tokens`` (judged positions, the end token included), ``wrong`` of them,
    ``share``. An answer that only lacks a part that no token stands for is not among them.
    """
    import pandas as pd

    rows = [
        (index, run.task, int(run.judgement.judged.sum()), int(run.judgement.wrong.sum()))
        for index, run in enumerate(runs)
        if run.judgement is not None and run.judgement.answer_right is False and run.judgement.wrong.any()
    ]
    table = pd.DataFrame(rows, columns=["run", "task", "tokens", "wrong"])
    return table.assign(share=ratio(table["wrong"].to_numpy(dtype=int), table["tokens"].to_numpy(dtype=int)))
