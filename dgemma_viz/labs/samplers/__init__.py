"""Every sampler in one table, with its parameters, and one function that runs any of them recorded."""

from dgemma_viz.labs.samplers.parameter import Parameter
from dgemma_viz.labs.samplers.running import run_sampler
from dgemma_viz.labs.samplers.sampler import Noise, Prepared, Sampler, noise_of
from dgemma_viz.labs.samplers.table import SAMPLERS, need_samplers, sampler_named

__all__ = [
    "SAMPLERS",
    "Noise",
    "Parameter",
    "Prepared",
    "Sampler",
    "need_samplers",
    "noise_of",
    "run_sampler",
    "sampler_named",
]
