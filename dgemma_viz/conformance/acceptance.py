"""Which candidates the entropy bound accepts, and whether the bound is the one that was asked for.

The reference accepts positions in order of entropy while the sum of those BEFORE stays within the bound. Another sort
may take positions of nearly the same entropy in another order, so the rule is applied without one. A position may be
accepted if the entropies clearly below its own fit within the bound. It may be left if those of all other positions up
to about its own do not. As a whole, what is accepted fits, less its largest entropy, and leaves no room for the next.
With exact numbers and no ties this is the reference's set and no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.tolerances import Tolerances
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun

Array = npt.NDArray[Any]


def bounds_of(evidence: Evidence, run: CanvasRun) -> Array:
    """Entropy bound of each step, nats ``(T,)``: as recorded, else as asked for; NaN if neither is known."""
    asked = evidence.number("entropy_bound")
    recorded = run.array("entropy_bound").astype(float)
    return np.where(np.isfinite(recorded), recorded, np.nan if asked is None else asked)


def wrongly_decided(entropy: Array, accepted: Array, bound: float, tolerances: Tolerances) -> Array:
    """Positions that the bound cannot explain, beyond the tolerances.

    Parameters
    ----------
    entropy
        Nats, ``(C,)``, finite.
    accepted
        Bool, ``(C,)``.
    bound
        Nats.
    tolerances
        ``relative`` and ``entropy`` are used.

    Returns
    -------
    Array
        Bool, ``(C,)``.
    """
    if not len(entropy):
        return np.zeros(0, dtype=bool)
    ordered = np.sort(entropy)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    near = 2 * tolerances.relative * np.abs(entropy)
    slack = tolerances.relative * bound + tolerances.entropy
    clearly_below = sums[np.searchsorted(ordered, entropy - near, side="left")]
    up_to_about = sums[np.searchsorted(ordered, entropy + near, side="right")] - entropy
    wrong: Array = np.where(accepted, clearly_below > bound + slack, up_to_about <= bound - slack)
    if wrong.any():
        return wrong
    kept = entropy[accepted]
    if len(kept) and kept.sum() - kept.max() > bound + slack:
        wrong[np.argmax(np.where(accepted, entropy, -np.inf))] = True
    elif not accepted.all() and (not len(kept) or kept.sum() <= bound - slack):
        wrong[np.argmin(np.where(accepted, np.inf, entropy))] = True  # the first costs nothing, whatever the bound
    return wrong


def _accepted_set(evidence: Evidence, run: CanvasRun) -> Checked:
    entropy, accepted = run.array("entropy").astype(float), run.array("accepted")
    bounds = bounds_of(evidence, run)
    known = np.isfinite(entropy).all(axis=1) & np.isfinite(bounds) & run.decided
    wrong = np.zeros(accepted.shape, dtype=bool)
    for row in np.flatnonzero(known):
        wrong[row] = wrongly_decided(entropy[row], accepted[row], bounds[row], evidence.tolerances)
    judged = int(known.sum()) * run.canvas_length
    if not wrong.any():
        return Checked(judged)
    t, position = first_place(wrong)
    kept = bool(accepted[t, position])
    before = float(entropy[t][entropy[t] < entropy[t, position]].sum())
    return Checked(
        judged,
        Breach(
            int(steps_of(run)[t]),
            position,
            "accepted" if kept else "re-noised",
            "re-noised" if kept else "accepted",
            f"A candidate of entropy {entropy[t, position]:.4g} nats was {'accepted' if kept else 're-noised'}: lower "
            f"entropies sum to {before:.4g} nats, the bound is {bounds[t]:.4g}.",
            int(wrong.sum()),
        ),
    )


def _bound_as_asked(evidence: Evidence, run: CanvasRun) -> Checked:
    asked, found = evidence.number("entropy_bound"), run.array("entropy_bound").astype(float)
    known = np.isfinite(found)
    if asked is None:
        return Checked(0)
    wrong = known & ~(np.abs(found - asked) <= evidence.tolerances.relative * abs(asked))
    if not wrong.any():
        return Checked(int(known.sum()))
    (t,) = first_place(wrong)
    return Checked(
        int(known.sum()),
        Breach(
            int(steps_of(run)[t]),
            None,
            f"{found[t]:.6g} nats",
            f"{asked:.6g} nats",
            f"The sampler ran with an entropy bound of {found[t]:.6g} nats, but {asked:.6g} was asked for; a compiled "
            "sampler of an earlier call does that.",
            int(wrong.sum()),
        ),
    )


def _some_bound(evidence: Evidence) -> str:
    recorded = needs.known_values("entropy_bound")(evidence)
    return "" if not recorded or evidence.number("entropy_bound") is not None else f"{recorded}, or that setting"


RULES = (
    Rule(
        "bound-as-asked",
        "The sampler that ran has the entropy bound that was asked for.",
        "transformers 5.23 _compile_functions (stale compiled sampler)",
        (
            needs.left_alone("ChangeParameters"),
            needs.known_values("entropy_bound"),
            needs.settings("entropy_bound"),
        ),
        each(_bound_as_asked),
        "no entropy bound was asked for",
        concerns.reference,
    ),
    Rule(
        "accepted-set",
        "In order of entropy, candidates are accepted while the entropies before sum to at most the bound.",
        "EntropyBoundSampler.accept_canvas; arXiv 2505.24857",
        (
            needs.left_alone("ForceAccept", "ForceRenoise"),
            needs.arrays("accepted", "entropy"),
            _some_bound,
        ),
        each(_accepted_set),
        concerns=concerns.reference,
    ),
)
