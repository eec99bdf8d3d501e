"""Block refinement: what is committed stays, is committed for a reason, and is edited for a reason.

The same class runs in two modes. With uniform noise it keeps its commits in a mask of its own and re-noises the rest;
with a mask token a commit is whatever is no mask.
"""

from __future__ import annotations

import math

import numpy as np

from dgemma_viz.analysis.sampler_kind import SamplerKind
from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.evidence import Evidence, first_place, steps_of
from dgemma_viz.conformance.rule import Checked, Rule, each
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.model import CanvasRun


def _commits_stay(_evidence: Evidence, run: CanvasRun) -> Checked:
    held = run.array("accepted")
    lost = held[:-1] & ~held[1:] & run.decided[1:, None]
    if not lost.any():
        return Checked(int(held[:-1].sum()))
    t, position = first_place(lost)
    step = int(steps_of(run)[t + 1])
    return Checked(
        int(held[:-1].sum()),
        Breach(
            step,
            position,
            "noise",
            "the committed token",
            f"Position {position} was committed, but step {step} made it noise again.",
            int(lost.sum()),
        ),
    )


def _edits_allowed(evidence: Evidence, run: CanvasRun) -> Checked:
    edited = run.array("decision") == Decision.EDITED
    threshold = evidence.number("editing_threshold")
    found = run.array("candidate_probability").astype(float)
    slack = evidence.tolerances.probability
    wrong = edited & (np.full(edited.shape, True) if not threshold else ~(found > threshold - slack))
    judged = int(run.decided.sum()) * run.canvas_length
    if not wrong.any():
        return Checked(judged)
    t, position = first_place(wrong)
    wanted = f"more than {threshold:g}" if threshold else "no edit: editing is off"
    return Checked(
        judged,
        Breach(
            int(steps_of(run)[t]),
            position,
            f"an edit at {found[t, position]:.4g}",
            wanted,
            f"A committed token was replaced by one of probability {found[t, position]:.4g}; the sampler asks for "
            f"{wanted}.",
            int(wrong.sum()),
        ),
    )


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
        open_ = ~run.array("accepted")[t - 1] if t else np.ones(run.canvas_length, dtype=bool)
        owed = max(0, math.ceil((int(step) + 1) * run.canvas_length / limit) - int((~open_).sum()))
        sure = p[t] > threshold - evidence.tolerances.probability
        spare = new[t] & ~sure
        judged += int(new[t].sum())
        if spare.sum() > owed:
            position = int(np.flatnonzero(spare)[np.argmin(p[t][spare])])
            return Checked(
                judged,
                Breach(
                    int(step),
                    position,
                    f"{int(spare.sum())} commits below the threshold",
                    f"at most {owed}",
                    f"{int(spare.sum())} positions were committed at or below the threshold of {threshold:g}, but the "
                    f"step owes {owed}.",
                ),
            )
    return Checked(judged)


_SOURCE = "diffusers BlockRefinementScheduler.step"

RULES = (
    Rule(
        "commits-stay",
        "A committed position does not become noise again.",
        f"{_SOURCE} (_committed)",
        (needs.arrays("decision"), needs.left_alone("ForceRenoise")),
        each(_commits_stay),
        "no canvas took more than one step",
        concerns.block_refinement,
    ),
    Rule(
        "edits-above-threshold",
        "A committed token is replaced only where editing is on and the new one is more probable than its threshold.",
        f"{_SOURCE} (editing_transfer_index)",
        (
            needs.arrays("decision", "candidate_probability"),
            needs.settings("editing_threshold"),
            needs.left_alone("ChangeParameters", "Pin"),
        ),
        each(_edits_allowed),
        concerns=concerns.block_refinement,
    ),
    Rule(
        "commits-above-threshold",
        "A position is committed where its candidate is more probable than the threshold, or as part of what the step "
        "owes: the canvas is committed evenly over the steps at the latest.",
        f"{_SOURCE} (transfer_index)",
        (
            needs.arrays("decision", "candidate_probability"),
            needs.settings("threshold", "max_denoising_steps"),
            needs.left_alone("ForceAccept", "ForceRenoise", "ChangeParameters"),
        ),
        each(_commits_allowed),
        concerns=concerns.kinds(SamplerKind.BLOCK_REFINEMENT),
    ),
)
