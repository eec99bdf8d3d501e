"""One step for one position in numbers: from the logits to the decision, each line made from those before it.

A trace keeps probabilities, not logits. Logits are fixed only up to a constant that softmax drops, so with the
temperature T the recorded probabilities give them as distances below the best token: ``T * ln(p / p_best)``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dgemma_viz.analysis.acceptance import ranks, spent_before
from dgemma_viz.errors import SettingError

if TYPE_CHECKING:
    import pandas as pd

    from dgemma_viz.trace.model import CanvasRun

_RECORDED = ("entropy", "confidence", "candidate", "draft", "candidate_probability", "accepted")


class OneDecision(NamedTuple):
    """What led to the decision on one position in one step.

    Attributes
    ----------
    tokens
        One row for each alternative: ``token``, ``logit`` (below the best token's, derived), ``scaled`` (that, divided
        by the temperature), ``probability`` (measured), ``entropy`` (its term of the sum, nats) and ``role`` (draft,
        candidate). The last row is all other tokens together: it has no logit, and its ``entropy`` is what the
        recorded entropy leaves for them.
    temperature, entropy, confidence, bound
        As recorded.
    rank, positions
        Place among the positions by entropy, from 1, and how many there are.
    spent
        Entropy of all surer positions, nats: accepted where this is no more than the bound.
    candidate, draft
        Texts of the token that was drawn and of the most probable one. NOT escaped.
    candidate_probability
        As recorded.
    accepted
        Whether the candidate was kept; if not, the position was re-noised.
    """

    tokens: pd.DataFrame
    temperature: float
    entropy: float
    confidence: float
    bound: float
    rank: int
    positions: int
    spent: float
    candidate: str
    draft: str
    candidate_probability: float
    accepted: bool


def one_decision(run: CanvasRun, step: int, position: int) -> OneDecision:
    """From the recorded distribution of a position to what the step decided.

    Raises
    ------
    SettingError
        There is no such step or position, or the step made no decision by an entropy bound.
    """
    if not 0 <= step < run.n_steps or not 0 <= position < run.canvas_length:
        raise SettingError(f"there is no step {step} with a position {position} in this canvas")
    value = {name: run.array(name)[step, position] for name in _RECORDED}
    bound, temperature = (float(run.array(name)[step]) for name in ("entropy_bound", "temperature"))
    if not run.decided[step] or not np.isfinite(bound):
        raise SettingError(f"step {step} made no decision by an entropy bound")
    return OneDecision(
        tokens=_tokens(run, step, position, temperature),
        temperature=temperature,
        entropy=float(value["entropy"]),
        confidence=float(value["confidence"]),
        bound=bound,
        rank=int(ranks(run)[step, position]) + 1,
        positions=run.canvas_length,
        spent=float(spent_before(run)[step, position]),
        candidate=run.token_text(value["candidate"]),
        draft=run.token_text(value["draft"]),
        candidate_probability=float(value["candidate_probability"]),
        accepted=bool(value["accepted"]),
    )


def _tokens(run: CanvasRun, step: int, position: int, temperature: float) -> pd.DataFrame:
    import pandas as pd

    ids = run.array("top_k_ids")[step, position]
    known = run.array("top_k_probabilities")[step, position].astype(float)
    ids, known = ids[known > 0], known[known > 0]
    roles = {"draft": run.array("draft")[step, position], "candidate": run.array("candidate")[step, position]}
    scaled = np.log(known / known[0]) if len(known) else known
    terms = -known * np.log(known)
    rest = max(0.0, 1 - float(known.sum()))
    rows: list[dict[str, Any]] = [
        {
            "token": run.token_text(token),
            "logit": float(scaled[at] * temperature),
            "scaled": float(scaled[at]),
            "probability": float(known[at]),
            "entropy": float(terms[at]),
            "role": ", ".join(role for role, one in roles.items() if one == token),
        }
        for at, token in enumerate(ids)
    ]
    nan = float("nan")
    left = max(0.0, float(run.array("entropy")[step, position]) - float(terms.sum()))
    beyond = "candidate" if roles["candidate"] not in ids else ""
    others = {"token": "all others", "logit": nan, "scaled": nan, "probability": rest, "entropy": left, "role": beyond}
    return pd.DataFrame([*rows, others])
