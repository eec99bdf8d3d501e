"""Sweeps: prompts and seeds over a grid of samplers and parameters, resumable, on one process or on any executor."""

from dgemma_viz.labs.sweep.experiment import sweep
from dgemma_viz.labs.sweep.result import Sweep

__all__ = ["Sweep", "sweep"]
