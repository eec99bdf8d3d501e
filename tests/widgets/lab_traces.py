"""Synthetic traces with the facts that runs of the sampler lab have."""

from dataclasses import replace

from dgemma_viz.labs.samplers import SAMPLERS
from dgemma_viz.trace import Trace
from tests.synthetic import synthetic_trace


def lab_trace(sampler="entropy_bound", parameters=None, *, task=None, seed=0, status="complete", **synthetic) -> Trace:
    """A trace as ``run`` returns it, its numbers made up."""
    trace = synthetic_trace(seed=seed, **synthetic)
    facts = {
        "prompt": "sudoku 1",
        "sampler": sampler,
        "parameters": SAMPLERS[sampler].values(parameters),
        **(task or {}),
    }
    return replace(trace, facts=replace(trace.facts, task=facts, seed=seed, status=status))
