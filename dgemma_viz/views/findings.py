"""The findings of a diagnosis as a list to click through: worst first, each with its evidence and what to try.

Plain texts: nothing in them is ever read as HTML.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dgemma_viz.diagnosis import Diagnosis
from dgemma_viz.plain_text import isolated, visible
from dgemma_viz.rules.engine import Verdict
from dgemma_viz.rules.finding import Finding, place_of, summary
from dgemma_viz.trace.model import Trace

_LONGEST = 600


def findings_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The list of a diagnosis as ``static/findings_list.js`` draws it, and the place of each finding."""
    trace, found = diagnosis.trace, diagnosis.findings
    return {
        "entries": [entry_of(trace, one) for one in found],
        "summary": summary(found) or "nothing found",
        "remark": remark_of(diagnosis),
        "places": [
            {"sample": one.sample, "canvas": one.canvas, "step": one.step, "positions": [int(p) for p in one.positions]}
            for one in found
        ],
    }


def entry_of(trace: Trace, finding: Finding) -> dict[str, Any]:
    """One finding as the list draws it."""
    return {
        "severity": finding.severity.word,
        "rule": finding.rule.replace("-", " "),
        "where": isolated(" · ".join(place_of(trace, finding))),
        "what": isolated(visible(finding.what, _LONGEST)),
        "remedy": isolated(visible(finding.remedy, _LONGEST)),
        "evidence": [[name.replace("_", " "), _number(value)] for name, value in finding.evidence.items()],
    }


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "not a number"


def remark_of(diagnosis: Diagnosis) -> str:
    """Why some rules that concern this sampler were not applied; empty if all were."""
    reasons: dict[str, list[str]] = {}
    for one in diagnosis.of(Verdict.NOT_CHECKED):
        reasons.setdefault(one.reason, []).append(one.rule.replace("-", " "))
    return "; ".join(f"not looked for ({why}): {', '.join(rules)}" for why, rules in reasons.items())
