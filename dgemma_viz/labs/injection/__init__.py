"""Error injection: wrong tokens put into a run, and whether they heal."""

from dgemma_viz.labs.injection.experiment import inject_errors
from dgemma_viz.labs.injection.result import InjectionResult

__all__ = ["InjectionResult", "inject_errors"]
