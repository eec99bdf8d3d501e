"""Look inside the model: lens, attention, experts and self-conditioning of one step or pass; patches and hooks.

What is found is data (:mod:`dgemma_viz.trace.inside`), whose numbers are for :mod:`dgemma_viz.analysis.inside`.
Importing this package imports neither torch nor transformers.
"""

from dgemma_viz.labs.inside.expert_table import expert_table
from dgemma_viz.labs.inside.fwd_hooks import activations, run_with_hooks
from dgemma_viz.labs.inside.kept import Kept
from dgemma_viz.labs.inside.one_pass import inside_pass
from dgemma_viz.labs.inside.readable import Readable, readable
from dgemma_viz.labs.inside.recorded_step import inside, insides

__all__ = [
    "Kept",
    "Readable",
    "activations",
    "expert_table",
    "inside",
    "inside_pass",
    "insides",
    "readable",
    "run_with_hooks",
]
