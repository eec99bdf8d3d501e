"""One engine for rules over a trace: what a rule is, what it needs, what it finds, and how that is shown. No torch.

:mod:`dgemma_viz.conformance` and :mod:`dgemma_viz.diagnosis` are two sets of rules on it.
"""

from dgemma_viz.rules.engine import Outcome, Verdict, run_rules
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.need import Case, Need
from dgemma_viz.rules.report import Report
from dgemma_viz.rules.rule import Checked, Rule, Tally

__all__ = [
    "Case",
    "Checked",
    "Finding",
    "Need",
    "Outcome",
    "Report",
    "Rule",
    "Severity",
    "Tally",
    "Verdict",
    "run_rules",
]
