"""One set of weights, several ways of decoding: diffusion, autoregressive, drafted and verified."""

from dgemma_viz.labs.decoding.race import Race, race
from dgemma_viz.labs.decoding.scaling import (
    break_even_lengths,
    crossover_batches,
    ranges,
    time_by_batch,
    time_by_length,
)
from dgemma_viz.labs.samplers.causal import as_causal, drafted_by

__all__ = [
    "Race",
    "as_causal",
    "break_even_lengths",
    "crossover_batches",
    "drafted_by",
    "race",
    "ranges",
    "time_by_batch",
    "time_by_length",
]
