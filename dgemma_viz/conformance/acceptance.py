"""What a step accepts: by the entropy bound, and in block refinement.

The reference accepts positions in order of entropy while the sum of those BEFORE stays within the bound. Another sort
may take positions of nearly the same entropy in another order, so the rule is applied without one. A position may be
accepted if the entropies clearly below its own fit within the bound. It may be left if those of all other positions up
to about its own do not. As a whole, what is accepted fits, less its largest entropy, and leaves no room for the next.
With exact numbers and no ties this is the reference's set and no other.

Block refinement runs in two modes. With uniform noise it keeps its commits in a mask of its own and re-noises the rest;
with a mask token a commit is whatever is no mask. What is committed stays, is committed for a reason, and is edited for
a reason.
"""

from __future__ import annotations

import math

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance.evidence import Array, Evidence, Tolerances, breach, each, first_wrong, steps_of
from dgemma_viz.rules import need
from dgemma_viz.rules.need import Case
from dgemma_viz.rules.rule import Checked, Rule
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun


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

    def tell(t: int, position: int) -> tuple[str, str, str]:
        one = entropy[t, position]
        found, expected = ("accepted", "re-noised") if accepted[t, position] else ("re-noised", "accepted")
        before = float(entropy[t][entropy[t] < one].sum())
        what = (
            f"A candidate of entropy {one:.4g} nats was {found}: lower entropies sum to {before:.4g} nats, the bound "
            f"is {bounds[t]:.4g}."
        )
        return found, expected, what

    return first_wrong(int(known.sum()) * run.canvas_length, wrong, steps_of(run), tell)


def _bound_as_asked(evidence: Evidence, run: CanvasRun) -> Checked:
    asked, found = evidence.number("entropy_bound"), run.array("entropy_bound").astype(float)
    known = np.isfinite(found)
    if asked is None:
        return Checked(0)
    wrong = known & ~(np.abs(found - asked) <= evidence.tolerances.relative * abs(asked))

    def tell(t: int) -> tuple[str, str, str]:
        what = (
            f"The sampler ran with an entropy bound of {found[t]:.6g} nats, but {asked:.6g} was asked for; a compiled "
            "sampler of an earlier call does that."
        )
        return f"{found[t]:.6g} nats", f"{asked:.6g} nats", what

    return first_wrong(known, wrong, steps_of(run), tell)


def _commits_stay(_evidence: Evidence, run: CanvasRun) -> Checked:
    held, steps = run.array("accepted"), steps_of(run)[1:]
    lost = held[:-1] & ~held[1:] & run.decided[1:, None]

    def tell(t: int, position: int) -> tuple[str, str, str]:
        what = f"Position {position} was committed, but step {steps[t]} made it noise again."
        return "noise", "the committed token", what

    return first_wrong(held[:-1], lost, steps, tell)


def _edits_allowed(evidence: Evidence, run: CanvasRun) -> Checked:
    edited = run.array("decision") == Decision.EDITED
    threshold = evidence.number("editing_threshold")
    found = run.array("candidate_probability").astype(float)
    slack = evidence.tolerances.probability
    wrong = edited & ~(found > threshold - slack) if threshold else edited
    wanted = f"more than {threshold:g}" if threshold else "no edit: editing is off"

    def tell(t: int, position: int) -> tuple[str, str, str]:
        p = f"{found[t, position]:.4g}"
        what = f"A committed token was replaced by one of probability {p}; the sampler asks for {wanted}."
        return f"an edit at {p}", wanted, what

    return first_wrong(int(run.decided.sum()) * run.canvas_length, wrong, steps_of(run), tell)


def _commits_allowed(evidence: Evidence, run: CanvasRun) -> Checked:
    limit, threshold = evidence.number("max_denoising_steps"), evidence.number("threshold")
    if not limit or threshold is None:
        return Checked(0)
    new = run.array("decision") == Decision.ACCEPTED
    p = run.array("candidate_probability").astype(float)
    judged = 0
    for t, step in enumerate(steps_of(run)):
        if t and not run.decided[t - 1]:
            continue  # what was committed before this step is not known
        held = int(run.array("accepted")[t - 1].sum()) if t else 0
        owed = max(0, math.ceil((int(step) + 1) * run.canvas_length / limit) - held)
        spare = new[t] & ~(p[t] > threshold - evidence.tolerances.probability)
        judged += int(new[t].sum())
        if (number := int(spare.sum())) > owed:
            position = int(np.flatnonzero(spare)[np.argmin(p[t][spare])])
            what = (
                f"{number} positions were committed at or below the threshold of {threshold:g}, but the step owes "
                f"{owed}."
            )
            found = f"{number} commits below the threshold"
            return Checked(judged, breach(int(step), position, found, f"at most {owed}", what))
    return Checked(judged)


def _no_bound(case: Case) -> str:
    recorded = need.values("entropy_bound").unmet(case)
    return "" if not recorded or case.number("entropy_bound") is not None else f"{recorded}, or that setting"


_BLOCKS = "diffusers BlockRefinementScheduler.step"

RULES = (
    Rule(
        "bound-as-asked",
        "The sampler that ran has the entropy bound that was asked for.",
        "transformers 5.23 _compile_functions (stale compiled sampler)",
        (
            need.ENTROPY_BOUND,
            need.left_alone("ChangeParameters"),
            need.values("entropy_bound"),
            need.settings("entropy_bound"),
        ),
        each(_bound_as_asked),
        "no entropy bound was asked for",
    ),
    Rule(
        "accepted-set",
        "In order of entropy, candidates are accepted while the entropies before sum to at most the bound.",
        "EntropyBoundSampler.accept_canvas; arXiv 2505.24857",
        (
            need.ENTROPY_BOUND,
            need.left_alone("ForceAccept", "ForceRenoise"),
            need.arrays("accepted", "entropy"),
            need.Need(_no_bound),
        ),
        each(_accepted_set),
    ),
    Rule(
        "commits-stay",
        "A committed position does not become noise again.",
        f"{_BLOCKS} (_committed)",
        (need.BLOCK_REFINEMENT, need.arrays("decision"), need.left_alone("ForceRenoise")),
        each(_commits_stay),
        "no canvas took more than one step",
    ),
    Rule(
        "edits-above-threshold",
        "A committed token is replaced only where editing is on and the new one is more probable than its threshold.",
        f"{_BLOCKS} (editing_transfer_index)",
        (
            need.BLOCK_REFINEMENT,
            need.arrays("decision", "candidate_probability"),
            need.settings("editing_threshold"),
            need.left_alone("ChangeParameters", "Pin"),
        ),
        each(_edits_allowed),
    ),
    Rule(
        "commits-above-threshold",
        "A position is committed where its candidate is more probable than the threshold, or as part of what the step "
        "owes: the canvas is committed evenly over the steps at the latest.",
        f"{_BLOCKS} (transfer_index)",
        (
            need.sampler(SamplerKind.BLOCK_REFINEMENT),
            need.arrays("decision", "candidate_probability"),
            need.settings("threshold", "max_denoising_steps"),
            need.left_alone("ForceAccept", "ForceRenoise", "ChangeParameters"),
        ),
        each(_commits_allowed),
    ),
)
