"""Self-consistency: the most frequent whole answer of several seeds (Wang et al., arXiv 2203.11171)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import prompts

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    "prompt": "object",
    "runs": "int64",
    "answer": "object",
    "votes": "int64",
    "share": "float64",
    "tied": "bool",
    "right": "boolean",
    "single_accuracy": "float64",
}


def majority_votes(runs: Sequence[Run]) -> pd.DataFrame:
    """The most frequent answer to each prompt.

    Returns
    -------
    pd.DataFrame
        One row per prompt, in order of appearance: ``prompt``, ``runs`` (those not cut off), ``answer`` (stripped, NOT
        escaped; the first one seen among equals), ``votes``, ``share``, ``tied``, ``right`` (``<NA>`` where not
        judged), and ``single_accuracy``, the fraction of judged single runs that are right (NaN if none is). Answers
        are equal if their texts are, white space around them aside. Prompts whose runs were all cut off are left out.
    """
    import pandas as pd

    rows = []
    for prompt in prompts(runs):
        ended = [run for run in runs if run.prompt == prompt and run.ended]
        ranked = Counter(run.output.strip() for run in ended).most_common()
        if ranked:
            answer, votes = ranked[0]
            verdicts = [run.right for run in ended if run.right is not None]
            rows.append(
                {
                    "prompt": prompt,
                    "runs": len(ended),
                    "answer": answer,
                    "votes": votes,
                    "share": votes / len(ended),
                    "tied": len(ranked) > 1 and ranked[1][1] == votes,
                    "right": next((run.right for run in ended if run.output.strip() == answer), None),
                    "single_accuracy": float(np.mean(verdicts)) if verdicts else np.nan,
                }
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
