"""What went wrong in a run, where, by what evidence, and what to try: rules over a trace. No torch, no drawing."""

from dgemma_viz.diagnosis.diagnosis import RULES, Diagnosis, diagnose
from dgemma_viz.rules.finding import Finding, Severity
from dgemma_viz.rules.rule import Rule

__all__ = ["RULES", "Diagnosis", "Finding", "Rule", "Severity", "diagnose"]
