"""Everything about the positions of one canvas run in one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dgemma_viz.analysis.drift import kl_to_final, kl_to_previous
from dgemma_viz.analysis.positions import (
    answer_positions,
    commit_steps,
    confidence_gaps,
    ever_accepted,
    flip_counts,
    re_noised_again,
    returns,
)
from dgemma_viz.analysis.restraints import free_values
from dgemma_viz.trace.model import CanvasRun

if TYPE_CHECKING:
    import pandas as pd


def position_table(run: CanvasRun) -> pd.DataFrame:
    """One row per position.

    Columns: ``position``; ``token`` (emitted text, of the last draft if not emitted), ``in_answer``; ``commit_step``,
    ``flips``, ``returns``; ``times_accepted``, ``times_re_noised``, ``taken_back`` (accepted, then re-noised),
    ``emitted_was_accepted``; ``first_entropy``, ``final_entropy`` (nats), ``final_confidence``, ``final_margin``
    (probability of the draft less that of the runner-up), ``kl_moved`` (sum of the steps' lower bounds of KL to the
    step before) and ``kl_first_to_final``. No rows where no step ran.
    """
    import pandas as pd

    size = run.canvas_length if run.n_steps else 0
    if not size:
        return pd.DataFrame({"position": np.arange(0)})
    accepted, entropy = run.array("accepted"), free_values(run, "entropy")
    final = run.array("draft")[-1] if run.emitted is None else run.emitted
    return pd.DataFrame(
        {
            "position": np.arange(size),
            "token": [run.token_text(token) for token in final],
            "in_answer": answer_positions(run),
            "commit_step": commit_steps(run),
            "flips": flip_counts(run),
            "returns": returns(run).sum(axis=0),
            "times_accepted": accepted.sum(axis=0),
            "times_re_noised": (~accepted & run.decided[:, None]).sum(axis=0),
            "taken_back": re_noised_again(run).sum(axis=0),
            "emitted_was_accepted": ever_accepted(run),
            "first_entropy": entropy[0],
            "final_entropy": entropy[-1],
            "final_confidence": free_values(run, "confidence")[-1],
            "final_margin": confidence_gaps(run)[-1],
            "kl_moved": np.nansum(kl_to_previous(run), axis=0),
            "kl_first_to_final": kl_to_final(run)[0],
        }
    )
