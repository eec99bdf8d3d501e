"""Take back the recorder's warning about tokens that are missing because an intervention wrote others there.

The recorder warns when an accepted candidate does not stand in the next step's canvas: the decisions that it recorded
then do not explain what ran. Replaced and pinned tokens, and noise that was added, explain it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dgemma_viz.labs.interventions.plan import Plan
from dgemma_viz.trace.decision import Decision
from dgemma_viz.trace.interventions.intervention import Intervention
from dgemma_viz.trace.model import Trace
from dgemma_viz.trace.notice import NoticeCode


def without_expected_warnings(trace: Trace, interventions: Sequence[Intervention]) -> Trace:
    """The trace without that warning, if the interventions account for every such token."""
    kept = tuple(notice for notice in trace.facts.notices if notice.code != NoticeCode.ACCEPTED_MISSING)
    if len(kept) == len(trace.facts.notices):
        return trace
    plan = Plan(tuple(interventions), trace.facts.vocab_size)
    for step in np.flatnonzero(trace.canvas[1:] == trace.canvas[:-1]):
        after = step + 1
        put = (trace.decision[step] == Decision.ACCEPTED) & trace.active[after, :, None]
        lost = put & (trace.noised[after] != trace.candidate[step])
        effects = plan.effects(int(trace.canvas[after]), int(trace.step_in_canvas[after]))
        if (lost & ~effects.written(*lost.shape)).any():
            return trace
    return replace(trace, facts=replace(trace.facts, notices=kept))
