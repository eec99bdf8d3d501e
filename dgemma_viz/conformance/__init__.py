"""Whether a trace's own numbers obey the reference sampler's rules, whatever runtime it came from. No torch.

The reference is DiffusionGemma's generation in transformers 5.23. :func:`check_conformance` replays its rules on the
numbers that a trace holds; :data:`RULES` lists them. For traces of other runtimes see
:mod:`dgemma_viz.trace.json_lines`.
"""

from dgemma_viz.conformance.check import check_conformance
from dgemma_viz.conformance.report import ConformanceReport
from dgemma_viz.conformance.rule import Rule
from dgemma_viz.conformance.rules import RULES
from dgemma_viz.conformance.tolerances import Tolerances
from dgemma_viz.conformance.violation import Violation

__all__ = ["RULES", "ConformanceReport", "Rule", "Tolerances", "Violation", "check_conformance"]
