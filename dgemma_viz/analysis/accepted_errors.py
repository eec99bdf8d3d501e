"""What became of wrong tokens that the sampler accepted: healed or kept, and how much of the answer went with them.

The question behind it: does one bad token ruin a block? A wrong candidate that is accepted stands in the canvas that
the next step reads, so every other position sees it. If it pulled the block down, answers with such a token would end
mostly wrong; if it is healed, the sampler re-noised it or drew another token there later.

Natural errors only: those that a run made by itself. They are not a random sample of tokens (the hard positions go
wrong first), so this describes runs and proves no cause; wrong tokens put in on purpose do (error injection, after
CDLM, arXiv:2512.15596).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from dgemma_viz.analysis.reference import Judgement
    from dgemma_viz.trace.model import Trace

COLUMNS = ("canvas", "position", "step", "accepted", "expected", "healed", "kept", "others_wrong", "others_judged")


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
        judged, wrong = judgement.judged[canvas], judgement.wrong[canvas]
        candidate = run.array("candidate")
        bad = run.array("accepted") & judged & ~judgement.holds(run, candidate)
        for position in np.flatnonzero(bad.any(axis=0)):
            step = int(bad[:, position].argmax())
            token = candidate[step, position]
            others_wrong = int(wrong.sum() - wrong[position])
            place = (canvas, int(position), step, run.token_text(token), judgement.expected[canvas, position])
            fate = (not wrong[position], bool(run.emitted is not None and run.emitted[position] == token))
            rows.append((*place, *map(bool, fate), others_wrong, int(judged.sum()) - 1))
    return pd.DataFrame(rows, columns=list(COLUMNS))
