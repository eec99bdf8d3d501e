"""The rule that the reference sampler's own rules are obeyed: what :mod:`dgemma_viz.conformance` finds, as findings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dgemma_viz.conformance import Violation, check_conformance
from dgemma_viz.diagnosis.case import RunCase
from dgemma_viz.diagnosis.finding import Finding, Severity
from dgemma_viz.diagnosis.quoting import quote
from dgemma_viz.diagnosis.rule import Rule
from dgemma_viz.trace.model import Trace

_TOKEN = re.compile(r"\btoken (\d{1,9})\b")
REPORTED_ELSEWHERE = {"numbers-finite", "bound-as-asked"}
"""Broken rules that rules of the diagnosis speak of themselves, with more to say about them."""


class ReferenceRulesRule(Rule):
    """One finding for each rule that is broken, at the first place that breaks it."""

    def findings(self, case: RunCase) -> Iterator[Finding]:
        """At most one for each rule of :data:`dgemma_viz.conformance.RULES`."""
        broken: dict[str, list[Violation]] = {}
        for violation in check_conformance(case.trace).violations:
            if violation.rule not in REPORTED_ELSEWHERE:
                broken.setdefault(violation.rule, []).append(violation)
        for rule, violations in broken.items():
            first = violations[0]
            yield Finding(
                rule=self.name,
                severity=Severity.ERROR,
                what=f"{rule}: {_with_texts(case.trace, first.message)}",
                remedy=self.remedy,
                sample=first.sample,
                canvas=first.canvas,
                step=first.step,
                positions=() if first.position is None else (first.position,),
                evidence={"places": sum(violation.places for violation in violations), "canvases": len(violations)},
            )


def _with_texts(trace: Trace, message: str) -> str:
    """A message of the conformance check, which knows tokens by their ids, with the texts of those that are known."""

    def named(found: re.Match[str]) -> str:
        text = trace.token_texts.get(int(found[1]))
        return found[0] if text is None else f"{found[0]} ({quote([text])})"

    return _TOKEN.sub(named, message)


RULES = (
    ReferenceRulesRule(
        name="reference-rule-broken",
        title="Reference rule broken",
        means="What was recorded is not what the sampler, by its own rules, would have done with the same "
        "probabilities: a bug of this runtime, or a sampler that is meant to differ.",
        remedy="See dv.check_conformance(trace) for all that was checked. With a sampler of your own, read this as "
        "where it departs from the reference, or let its trace say what it is: sampler_kind='other' in the facts.",
        source="transformers 5.23 generation_diffusion_gemma.py; published bugs of vLLM, diffusers, MLX",
    ),
)
