"""What became of wrong tokens that the sampler accepted: healed or kept, and how much of the answer went with them.

The question behind it: does one bad token ruin a block? A wrong candidate that is accepted stands in the canvas that
the next step reads, so every other position sees it. If it pulled the block down, answers with such a token would end
mostly wrong; if it is healed, the sampler re-noised it or drew another token there later.

Natural errors only: those that a run made by itself. They are not a random sample of tokens (the hard positions go
wrong first), so this describes runs and proves no cause; wrong tokens put in on purpose do (error injection, after
CDLM, arXiv:2512.15596).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.intervals import ratio, wilson
from dgemma_viz.analysis.reference import Judgement
from dgemma_viz.analysis.run import Run
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "canvas": int,
    "position": int,
    "step": int,
    "accepted": object,
    "expected": object,
    "healed": bool,
    "kept": bool,
    "others_wrong": int,
    "others_judged": int,
}


def accepted_errors(trace: Trace, judgement: Judgement) -> pd.DataFrame:
    """One row per judged position at which a wrong candidate was accepted at some step.

    Columns: ``canvas``, ``position``, ``step`` (first such step within the canvas), ``accepted`` (text of that
    candidate), ``expected``, ``healed`` (the emitted token is right), ``kept`` (that very token was emitted), and
    ``others_wrong`` of ``others_judged`` other judged positions of the canvas whose emitted token is wrong. Empty where
    nothing was emitted.
    """
    import pandas as pd

    rows = []
    for canvas in range(len(judgement.judged)):
        run = trace.canvas_run(canvas, judgement.sample)
        judged, wrong = (flags[canvas, : run.canvas_length] for flags in (judgement.judged, judgement.wrong))
        candidate = run.array("candidate")
        bad = run.array("accepted") & judged & ~judgement.holds(run, candidate)
        for position in np.flatnonzero(bad.any(axis=0)):
            step = int(bad[:, position].argmax())
            token = candidate[step, position]
            others_wrong = int(wrong.sum() - wrong[position])
            place = (canvas, int(position), step, run.token_text(token), judgement.expected[canvas, position])
            fate = (not wrong[position], bool(run.emitted is not None and run.emitted[position] == token))
            rows.append((*place, *map(bool, fate), others_wrong, int(judged.sum()) - 1))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def healed_fractions(runs: Iterable[Run]) -> pd.DataFrame:
    """How many of the wrong tokens that were accepted were right in the end, by task.

    Columns: ``task``, ``runs`` (judged by their tokens), ``errors`` (rows of :func:`accepted_errors`), ``healed``,
    ``fraction`` with its 95 % interval ``low`` and ``high`` (Wilson; errors of one run depend on each other, so the
    true interval is wider). NaN where no error was accepted.
    """
    import pandas as pd

    counts: dict[str, list[int]] = {}
    for run in runs:
        if run.judgement is None or not run.judgement.judged.any():
            continue
        errors = accepted_errors(run.trace, run.judgement)
        count = counts.setdefault(run.task, [0, 0, 0])
        for index, more in enumerate((1, len(errors), int(errors.healed.sum()))):
            count[index] += more
    columns = np.array(list(counts.values()), dtype=int).reshape(-1, 3).T
    judged, errors_of, healed = columns
    low, high = wilson(healed, errors_of)
    return pd.DataFrame(
        {
            "task": list(counts),
            "runs": judged,
            "errors": errors_of,
            "healed": healed,
            "fraction": ratio(healed, errors_of),
            "low": low,
            "high": high,
        }
    )
