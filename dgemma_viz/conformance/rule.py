"""What a rule is: a name, where it comes from, what it needs, and a check that goes over the canvases of a trace.

Most rules judge each canvas of each sample by itself (:func:`each`). Statistical ones carry their evidence on from one
to the next and so judge all traces as a whole (:mod:`dgemma_viz.conformance.statistical`); they accuse at most one
canvas of a trace.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dgemma_viz.conformance.concerns import Concern, everyone
from dgemma_viz.conformance.evidence import Evidence
from dgemma_viz.conformance.needs import Arrays, Need
from dgemma_viz.conformance.statistical import Statistical
from dgemma_viz.conformance.violation import Breach
from dgemma_viz.trace.model import CanvasRun
from dgemma_viz.trace.schema import OF_A_DECISION


@dataclass(frozen=True)
class Checked:
    """Outcome of a rule on one canvas of one sample: how many things were judged, and the first that broke it."""

    judged: int
    breach: Breach | None = None


Check = Callable[["Evidence"], "Iterator[tuple[CanvasRun, Checked]]"]


def each(check: Callable[[Evidence, CanvasRun], Checked]) -> Check:
    """A check of every canvas by itself."""

    def checks(evidence: Evidence) -> Iterator[tuple[CanvasRun, Checked]]:
        for run in evidence.runs():
            yield run, check(evidence, run)

    return checks


@dataclass(frozen=True)
class Rule:
    """One rule of the reference sampler.

    Attributes
    ----------
    name
        Identifier, e.g. ``"stop-rule"``.
    says
        The rule in a sentence.
    source
        Where it is written: upstream function, published bug that broke it, paper.
    needs
        What must be known; the first that is lacking is given as the reason why the rule was not checked.
    check
        Gives the outcome for each canvas of each sample, or puts questions to the random draws of all traces.
    idle
        Why nothing was judged although all needs were met.
    concerns
        Whose rule it is.
    """

    name: str
    says: str
    source: str
    needs: tuple[Need, ...]
    check: Check | Statistical
    idle: str = "no step ran"
    concerns: Concern = everyone

    @property
    def is_of_decisions(self) -> bool:
        """Whether it judges what a step decided, and so leaves out steps that made no decision."""
        names = {name for need in self.needs if isinstance(need, Arrays) for name in need.names}
        return not names.isdisjoint(OF_A_DECISION)

    def lacking(self, evidence: Evidence) -> str:
        """Why the rule cannot be checked; empty if it can."""
        return next((reason for need in self.needs if (reason := need(evidence))), "")
