"""Whether a trace's own numbers obey the reference sampler's rules, whatever runtime it came from. No torch.

The reference is DiffusionGemma's generation in transformers 5.23. :func:`check_conformance` replays its rules on the
numbers that a trace holds; :data:`RULES` lists them. For traces of other runtimes see
:mod:`dgemma_viz.trace.json_lines`.
"""

from dgemma_viz.conformance.check import RULES, check_conformance
from dgemma_viz.conformance.evidence import Tolerances
from dgemma_viz.conformance.report import ConformanceReport

__all__ = ["RULES", "ConformanceReport", "Tolerances", "check_conformance"]
