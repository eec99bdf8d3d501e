"""Recorded runs of the bundled model, healthy and with faults planted; each is made once a session."""

from functools import cache

import numpy as np
import pytest

import dgemma_viz as dv
from benchmarks.diagnosis import record, record_loop
from dgemma_viz.labs.sabotage import FAULTS
from dgemma_viz.tiny.tasks import TASKS, sample_example


@pytest.fixture(scope="session")
def tiny():
    return dv.load_tiny()


@pytest.fixture(scope="session")
def run_of(tiny):
    """``run_of(task, fault=None, seed=0)`` -> trace."""

    @cache
    def make(task, fault=None, seed=0):
        rng = np.random.default_rng((7, seed))
        prompt = sample_example(TASKS[task], rng, held_out=True).prompt
        return record(*tiny, prompt, fault=FAULTS[fault] if fault else None, seed=seed)

    return make


@pytest.fixture(scope="session")
def loop_of():
    """``loop_of(task, fault="", seed=0)`` -> trace of the mask-token model's loop."""
    models = dv.load_tiny("masked")

    @cache
    def make(task, fault="", seed=0):
        prompt = sample_example(TASKS[task], np.random.default_rng((7, seed)), held_out=True).prompt
        return record_loop(*models, prompt, fault=fault, seed=seed)

    return make
