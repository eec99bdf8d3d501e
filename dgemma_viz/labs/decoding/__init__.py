"""One set of weights, several ways of decoding: diffusion, autoregressive, drafted and verified."""

from dgemma_viz.labs.decoding.causal import as_causal
from dgemma_viz.labs.decoding.scaling import break_even_lengths, crossover_batches, time_by_batch, time_by_length
from dgemma_viz.labs.decoding.side_by_side import Race, race
from dgemma_viz.labs.decoding.ways import WAYS, autoregressive, diffusion, drafted, looked_up

__all__ = [
    "WAYS",
    "Race",
    "as_causal",
    "autoregressive",
    "break_even_lengths",
    "crossover_batches",
    "diffusion",
    "drafted",
    "looked_up",
    "race",
    "time_by_batch",
    "time_by_length",
]
