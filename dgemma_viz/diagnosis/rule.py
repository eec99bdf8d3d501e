"""What a rule of the diagnosis is: its name and meaning, what it needs, and a check.

A rule is data plus one function. The function gets the view that the rule is about (a run, a sample or a canvas, see
:mod:`dgemma_viz.diagnosis.case`) and returns what it saw, or None; positions are grouped, so a rule gives at most one
finding per run, sample or canvas. Thresholds are constants beside the function, each with its reason.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from dgemma_viz.diagnosis.case import CanvasCase, RunCase, SampleCase
from dgemma_viz.diagnosis.finding import Finding, Severity


@dataclass(frozen=True)
class Need:
    """Something that a rule cannot do without.

    Attributes
    ----------
    met
        Whether a run has it.
    otherwise
        Why the rule was not applied to a run that lacks it: a sentence without its full stop.
    """

    met: Callable[[RunCase], bool]
    otherwise: str


@dataclass(frozen=True)
class Seen:
    """What a check saw; fields as in :class:`~dgemma_viz.diagnosis.finding.Finding`."""

    severity: Severity
    what: str
    canvas: int | None = None
    step: int | None = None
    positions: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rule(ABC):
    """A rule; its subclasses say what its check looks at.

    Attributes
    ----------
    name
        Identifier, e.g. ``"text-after-end"``.
    title
        What a table or a menu shows.
    means
        What the fault is and why it matters.
    remedy
        What to try.
    source
        Paper, upstream function or report that the rule goes back to.
    needs
        What a run must have for the rule to be applied.
    """

    name: str
    title: str
    means: str
    remedy: str
    source: str
    needs: tuple[Need, ...] = ()

    @abstractmethod
    def findings(self, case: RunCase) -> Iterator[Finding]:
        """All findings of this rule in a run that has what it needs."""

    def lacking(self, case: RunCase) -> str:
        """Why the rule cannot be applied to a run; empty if it can."""
        return next((need.otherwise for need in self.needs if not need.met(case)), "")

    def _finding(self, seen: Seen, sample: int, canvas: int | None) -> Finding:
        return Finding(
            rule=self.name,
            severity=seen.severity,
            what=seen.what,
            remedy=self.remedy,
            sample=sample,
            canvas=canvas,
            step=seen.step,
            positions=seen.positions,
            evidence=dict(seen.evidence),
        )


@dataclass(frozen=True, kw_only=True)
class RunRule(Rule):
    """A rule about the whole run."""

    check: Callable[[RunCase], Seen | None]

    def findings(self, case: RunCase) -> Iterator[Finding]:
        """At most one."""
        if seen := self.check(case):
            yield self._finding(seen, 0, seen.canvas)


@dataclass(frozen=True, kw_only=True)
class SampleRule(Rule):
    """A rule about one sample's output."""

    check: Callable[[SampleCase], Seen | None]

    def findings(self, case: RunCase) -> Iterator[Finding]:
        """At most one per sample."""
        for sample in case.samples:
            if seen := self.check(sample):
                yield self._finding(seen, sample.sample, seen.canvas)


@dataclass(frozen=True, kw_only=True)
class CanvasRule(Rule):
    """A rule about one canvas of one sample."""

    check: Callable[[CanvasCase], Seen | None]

    def findings(self, case: RunCase) -> Iterator[Finding]:
        """At most one per canvas and sample."""
        for sample in case.samples:
            for canvas in sample.canvases:
                if seen := self.check(canvas):
                    yield self._finding(seen, sample.sample, canvas.run.canvas)
