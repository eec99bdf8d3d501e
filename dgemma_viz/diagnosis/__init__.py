"""What went wrong in a run, where, by what evidence, and what to try: rules over a trace. No torch, no drawing."""

from dgemma_viz.diagnosis.diagnosis import Diagnosis, diagnose
from dgemma_viz.diagnosis.finding import Finding, Severity
from dgemma_viz.diagnosis.rule import Rule
from dgemma_viz.diagnosis.rules import RULES

__all__ = ["RULES", "Diagnosis", "Finding", "Rule", "Severity", "diagnose"]
