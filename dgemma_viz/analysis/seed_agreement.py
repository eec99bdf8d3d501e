"""Whether different seeds say the same, position by position.

Votes of many runs of one prompt: the share of the most frequent token, the entropy of the vote, and the chance that two
runs agree (the pairwise agreement of Fleiss 1971, doi:10.1037/h0031619). Positions are compared by their number, so an
answer that is shifted by one token disagrees everywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dgemma_viz.analysis.run import Run
from dgemma_viz.analysis.run_set import of_one_prompt
from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

ENDED = None
"""What a run votes for after the end of its answer."""

_COLUMNS = {
    "place": "int64",
    "runs": "int64",
    "token": "object",
    "ended": "bool",
    "votes": "int64",
    "share": "float64",
    "tokens": "int64",
    "vote_entropy": "float64",
    "pair_agreement": "float64",
}


def seed_agreement(runs: Sequence[Run]) -> pd.DataFrame:
    """Votes over each position of the answers of one prompt.

    Parameters
    ----------
    runs
        Runs of one prompt, judged or not. Those that were cut off before their answer ended vote where they emitted.

    Returns
    -------
    pd.DataFrame
        One row per position that belongs to at least one answer: ``canvas``, ``position``, ``runs`` (how many vote),
        ``token`` (most frequent text, NOT escaped), ``ended`` (it is the end of the answer that is most frequent; the
        token is then empty), ``votes``, ``share``, ``tokens`` (how many different), ``vote_entropy`` (nats),
        ``pair_agreement`` (chance that two of the runs agree; NaN with one). Two tokens with the same text agree.

    Raises
    ------
    SettingError
        The runs answer several prompts.
    """
    import pandas as pd

    ballots = [_ballot(run) for run in of_one_prompt(runs)]
    rows = []
    for place in range(max((len(texts) for texts, _ in ballots), default=0)):
        votes = Counter(
            texts[place] if place < len(texts) else ENDED for texts, ended in ballots if ended or place < len(texts)
        )
        counts = np.array(list(votes.values()))
        n, (token, most) = int(counts.sum()), votes.most_common(1)[0]
        rows.append(
            {
                "place": place,
                "runs": n,
                "token": token or "",
                "ended": token is ENDED,
                "votes": most,
                "share": most / n,
                "tokens": len(votes),
                "vote_entropy": float(-(counts / n * np.log(counts / n)).sum()) + 0.0,
                "pair_agreement": float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else np.nan,
            }
        )
    table = pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)
    places = _places(runs[0].trace, len(table)) if len(runs) else np.zeros((0, 2), dtype=int)
    table.insert(0, "canvas", places[:, 0])
    table.insert(1, "position", places[:, 1])
    return table.drop(columns="place")


def _places(trace: Trace, count: int) -> npt.NDArray[np.int64]:
    """Canvas and position of the first places of an output, ``(count, 2)``; canvases that it lacks are full ones."""
    canvases, full = trace.n_canvases, trace.canvas_length
    begin, there = trace.output_span[0], trace.index(canvases)
    rows = [
        trace.place(place) if place < there else (canvases + (place - there) // full, (place - there) % full)
        for place in range(begin, begin + count)
    ]
    return np.array(rows, dtype=np.int64).reshape(-1, 2)


def _ballot(run: Run) -> tuple[list[str], bool]:
    """Texts of a run's answer, and whether the answer ended (else later positions are unknown)."""
    trace = run.trace
    return [trace.token_text(token) for token in trace.output_ids(run.sample)], run.ended
