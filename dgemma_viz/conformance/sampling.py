"""Whether candidates are drawn from the recorded distributions: a statistical rule.

Each candidate equals the draft with the draft's probability, its confidence, whatever happened before. Candidates that
agree with the draft too often (greedy candidates, confidence from raw logits while the sampler used a temperature below
1) or too seldom are found by :mod:`dgemma_viz.conformance.betting`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dgemma_viz.conformance import concerns, needs
from dgemma_viz.conformance.betting import Bets
from dgemma_viz.conformance.evidence import steps_of
from dgemma_viz.conformance.rule import Checked, Rule
from dgemma_viz.conformance.violation import Breach

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dgemma_viz.conformance.evidence import Evidence
    from dgemma_viz.trace.model import CanvasRun


Array = npt.NDArray[Any]


def _drawn(evidence: Evidence) -> Iterator[tuple[CanvasRun, Checked]]:
    slack = evidence.tolerances
    bets = Bets(slack.false_alarm, rounding=slack.probability, both_sides=True)
    for run in evidence.runs():
        equal, confidence = run.array("candidate") == run.array("draft"), run.array("confidence").astype(float)
        known = np.isfinite(confidence)
        index = bets.place(equal[known], confidence[known])
        breach = None if index is None else _breach(run, np.argwhere(known)[index], bets, slack.false_alarm)
        yield run, Checked(int(known.sum()), breach)


def _breach(run: CanvasRun, place: Array, bets: Bets, false_alarm: float) -> Breach:
    t, position = (int(index) for index in place)
    return Breach(
        int(steps_of(run)[t]),
        position,
        f"{bets.hits} of {bets.events}",
        f"about {bets.expected:.4g} of {bets.events}",
        f"Up to here, {bets.hits} of {bets.events} candidates equal their draft; by the recorded confidences it should "
        f"be about {bets.expected:.4g}. Chance does that with a probability below {false_alarm:.0e}.",
    )


RULES = (
    Rule(
        "candidates-drawn",
        "Candidates are drawn from the distribution whose confidence is recorded: they equal the draft as often as it "
        "says (statistical).",
        "DiffusionGemmaGenerationMixin._denoising_step (torch.multinomial of the softmax of processed logits)",
        (needs.arrays("candidate", "confidence"),),
        _drawn,
        concerns=concerns.reference,
    ),
)
