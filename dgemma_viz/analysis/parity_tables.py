"""Two models on the same canvases: how far their logits are apart, and which decisions that changes, step by step.

Everything here starts from numbers per position that were made of both models' logits on the recorded canvases
(:class:`Decisions`, :class:`Drift`); :mod:`dgemma_viz.labs.parity` computes them. Axes are those of a trace: steps
``S``, samples ``B``, positions ``C``.

A draft flips from token *a* to token *b* exactly if the lead of *a* over *b* in A's logits is no more than what B takes
away from it. So each flip is told with both numbers. Were the drift noise, the same for all tokens, what is taken would
have a standard deviation of √2 times the drift's: a flip within :data:`NEAR_TIE` of these is a near tie that any
difference of this size could turn, one beyond them needs another cause.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.trace.model import Trace

if TYPE_CHECKING:
    import pandas as pd

Array = npt.NDArray[Any]

NEAR_TIE = 4.0
"""Standard deviations of noise of the drift's size: 1 flip in 16,000 lies beyond by chance."""

STEP = ("canvas", "step", "sample")
COLUMNS = (
    *STEP,
    "positions",
    "max_drift",
    "mean_drift",
    "rms_drift",
    "kl",
    "max_kl",
    "smallest_margin",
    "draft_flips",
    "accepted_flips",
    "candidate_flips",
    "stop_flips",
    "emitted_flips",
)
FLIPS = (*STEP, "position", "kind", "was", "became", "lead", "taken", "drift", "sigmas", "origin")
LIKE_B = "noise of B's size"
CALIBRATION = ("what", "std", "positions", "draft_flips", "accepted_flips", "kl")


@dataclass(frozen=True, eq=False)
class Decisions:
    """What one model's logits lead to under the recorded rule.

    Attributes
    ----------
    draft
        Argmax, int ``(S, B, C)``.
    entropy
        Nats, at the recorded temperature, ``(S, B, C)``.
    accepted
        Bool ``(S, B, C)``.
    candidate
        Drawn with the recorded noise, int ``(S, B, C)``; None where that is not known.
    finished
        Whether the stop rule is met, bool ``(S, B)``; None where no such rule is known.
    """

    draft: Array
    entropy: Array
    accepted: Array
    candidate: Array | None = None
    finished: Array | None = None


@dataclass(frozen=True, eq=False)
class Drift:
    """How far B's logits are from A's, ``(S, B, C)`` each, or ``(B, C)`` of one step; NaN where it is not known.

    Attributes
    ----------
    largest, mean, rms
        Of the absolute differences over all tokens, in logits before temperature.
    kl
        KL(A ‖ B) of the distributions at the recorded temperature, nats.
    margin
        A's best logit less its second.
    lead, taken
        A's logit of its own draft less that of B's draft, and how much smaller that is in B; 0 where drafts agree.
    """

    largest: Array
    mean: Array
    rms: Array
    kl: Array
    margin: Array
    lead: Array
    taken: Array


def last_steps(trace: Trace) -> Array:
    """Whether a step is a sample's last on a canvas that was emitted: bool ``(S, B)``; its draft is what is emitted."""
    last = np.zeros(trace.active.shape, dtype=bool)
    for canvas in range(len(trace.emitted)):
        for sample in range(trace.n_samples):
            steps = trace.canvas_run(canvas, sample).steps
            if len(steps) and not trace.past_end[canvas, sample]:
                last[steps[-1], sample] = True
    return last


def stops(trace: Trace, draft: Array, entropy: Array) -> Array | None:
    """Where upstream's stop rule is met: drafts unchanged over the recorded number of steps, and a low mean entropy.

    Parameters
    ----------
    trace
        Whose settings and places count.
    draft, entropy
        ``(S, B, C)``, of one model.

    Returns
    -------
    Array
        Bool ``(S, B)``, of each step by itself; None where the trace does not say what the rule was.
    """
    settings = trace.facts.settings
    if "stability_threshold" not in settings or "confidence_threshold" not in settings:
        return None
    stable_for, threshold = settings["stability_threshold"], settings["confidence_threshold"]
    if stable_for is None or threshold is None:
        return np.zeros(draft.shape[:2], dtype=bool)
    with np.errstate(invalid="ignore"):
        met = np.asarray(entropy.mean(axis=-1, dtype=np.float32) < threshold)
    for back in range(1, int(stable_for) + 1):
        same = np.zeros_like(met)
        same[back:] = (draft[back:] == draft[:-back]).all(axis=-1) & (trace.canvas[back:] == trace.canvas[:-back])[
            :, None
        ]
        met &= same
    return met


def table_of(trace: Trace, drift: Drift, a: Decisions, b: Decisions, compared: Array) -> pd.DataFrame:
    """:attr:`dgemma_viz.analysis.parity.Parity.table`."""
    import pandas as pd

    last, rows = last_steps(trace), []
    for step, sample in zip(*np.nonzero(compared.any(axis=-1)), strict=True):
        here = compared[step, sample]
        at = {name: getattr(drift, name)[step, sample][here] for name in ("largest", "mean", "rms", "kl", "margin")}
        flipped = {
            name: getattr(a, name)[step, sample] != getattr(b, name)[step, sample] for name in ("draft", "accepted")
        }
        rows.append(
            {
                **_place(trace, step, sample),
                "positions": int(here.sum()),
                "max_drift": _or_nan(np.max, at["largest"]),
                "mean_drift": _or_nan(np.mean, at["mean"]),
                "rms_drift": _or_nan(lambda values: np.sqrt(np.mean(np.square(values))), at["rms"]),
                "kl": _or_nan(np.mean, at["kl"]),
                "max_kl": _or_nan(np.max, at["kl"]),
                "smallest_margin": _or_nan(np.min, at["margin"]),
                "draft_flips": int((flipped["draft"] & here).sum()),
                "accepted_flips": int((flipped["accepted"] & here).sum()),
                "candidate_flips": _candidate_flips(a, b, step, sample, here),
                "stop_flips": _stop_flips(a, b, step, sample),
                "emitted_flips": int((flipped["draft"] & here).sum()) if last[step, sample] else 0,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _or_nan(reduce: Any, values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(reduce(known.astype(float))) if len(known) else float("nan")


def _candidate_flips(a: Decisions, b: Decisions, step: int, sample: int, here: Array) -> float:
    if a.candidate is None or b.candidate is None:
        return float("nan")
    both = a.accepted[step, sample] & b.accepted[step, sample] & here
    return float((both & (a.candidate[step, sample] != b.candidate[step, sample])).sum())


def _stop_flips(a: Decisions, b: Decisions, step: int, sample: int) -> float:
    if a.finished is None or b.finished is None:
        return float("nan")
    return float(a.finished[step, sample] != b.finished[step, sample])


def _place(trace: Trace, step: int, sample: int) -> dict[str, int]:
    return dict(zip(STEP, (int(trace.canvas[step]), int(trace.step_in_canvas[step]), int(sample)), strict=True))


def flips_of(trace: Trace, drift: Drift, a: Decisions, b: Decisions, compared: Array) -> pd.DataFrame:
    """:attr:`dgemma_viz.analysis.parity.Parity.flips`."""
    import pandas as pd

    rows = []
    for step, sample in zip(*np.nonzero(compared.any(axis=-1)), strict=True):
        place = _place(trace, step, sample)
        here = compared[step, sample]
        rows += [place | row for row in _flips_within(trace, drift, (a, b), (int(step), int(sample)), here)]
        if _stop_flips(a, b, step, sample) == 1 and a.finished is not None:
            words = ("stop", "go on") if a.finished[step, sample] else ("go on", "stop")
            rows.append(place | _flip(-1, "stop", words, {}))
    return pd.DataFrame(rows, columns=list(FLIPS))


def _flips_within(
    trace: Trace, drift: Drift, both: tuple[Decisions, Decisions], at: tuple[int, int], here: Array
) -> Iterator[dict[str, Any]]:
    a, b = (one for one in both)
    spread = np.sqrt(2) * drift.rms[at]
    for position in np.flatnonzero((a.draft[at] != b.draft[at]) & here):
        lead, taken = (float(values[at][position]) for values in (drift.lead, drift.taken))
        sigmas = lead / float(spread[position]) if spread[position] > 0 else float("nan")
        tokens = (trace.token_text(a.draft[at][position]), trace.token_text(b.draft[at][position]))
        numbers = {"lead": lead, "taken": taken, "drift": float(drift.largest[at][position]), "sigmas": sigmas}
        yield _flip(position, "draft", tokens, numbers, _origin(sigmas))
    changed = (a.accepted[at] != b.accepted[at]) & here
    if changed.any():
        before = _entropy_before(a.entropy[at], here), _entropy_before(b.entropy[at], here)
        for position in np.flatnonzero(changed):
            bound = float(trace.entropy_bound[at[0]])
            numbers = {
                "lead": abs(bound - float(before[0][position])),
                "taken": abs(float(before[1][position] - before[0][position])),
                "drift": float(drift.largest[at][position]),
            }
            was = bool(a.accepted[at][position])
            yield _flip(position, "accepted", _KEPT[::1] if was else _KEPT[::-1], numbers)
    if a.candidate is not None and b.candidate is not None:
        other = a.accepted[at] & b.accepted[at] & here & (a.candidate[at] != b.candidate[at])
        for position in np.flatnonzero(other):
            tokens = (trace.token_text(a.candidate[at][position]), trace.token_text(b.candidate[at][position]))
            yield _flip(position, "candidate", tokens, {"drift": float(drift.largest[at][position])})


_KEPT = ("accepted", "re-noised")


def _flip(
    position: Any, kind: str, words: tuple[str, ...], numbers: Mapping[str, float], origin: str = ""
) -> dict[str, Any]:
    told = {"position": int(position), "kind": kind, "was": words[0], "became": words[1], "origin": origin}
    missing = dict.fromkeys(("lead", "taken", "drift", "sigmas"), float("nan"))
    return {**told, **missing, **numbers}


def _origin(sigmas: float) -> str:
    if np.isnan(sigmas):
        return ""
    return "a near tie" if sigmas <= NEAR_TIE else "more than noise"


def _entropy_before(entropy: Array, here: Array) -> Array:
    """Entropy of all cheaper positions, nats ``(C,)``: accepted where it is no more than the bound."""
    known = np.where(here, entropy, np.inf)
    order = np.argsort(known, kind="stable")
    before = np.full(len(entropy), np.nan)
    ascending = known[order][: int(here.sum())]
    before[order[: len(ascending)]] = np.cumsum(ascending) - ascending
    return before
